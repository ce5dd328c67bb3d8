"""All tables as one program: ``python -m experiments paper NAME LOG --out DIR``."""

import sys

from experiments.paper import (
    fusionfactory_radar,
    fusionfactory_table4,
    fusionfactory_table5,
    fusionfactory_table6,
    graphrouter_table4,
    graphrouter_table5,
    llmrouterbench_gain_gap,
    routellm_apgr_cpt,
    routeprofile_table1,
    routerdc_main,
)
from experiments.paper.command import PAPER
from graphrouter.cli.program import Program

TABLES = (
    graphrouter_table4,
    graphrouter_table5,
    fusionfactory_table4,
    fusionfactory_table5,
    fusionfactory_table6,
    fusionfactory_radar,
    routerdc_main,
    routeprofile_table1,
    llmrouterbench_gain_gap,
    routellm_apgr_cpt,
)

PROGRAM = Program(
    "paper", "Published tables, rebuilt from logs and printed beside the published numbers.", "", TABLES, PAPER
)
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
