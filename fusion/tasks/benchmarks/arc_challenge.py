"""ARC-Challenge: grade-school science (Clark et al. 2018, arXiv:1803.05457)."""

from fusion.tasks.base import HubData, Task
from fusion.tasks.build import CHOICE_PROMPTS, SHORT_TOKENS, labelled_choice
from fusion.tasks.graders.choice import option_letter

TASK = Task(
    name="arc_challenge",
    domain="commonsense",
    metric="em_mc",
    description="Grade-school science questions that simple retrieval gets wrong, with three to five options.",
    hub=HubData("allenai/ai2_arc", "ARC-Challenge", "test"),
    read=labelled_choice,  # some rows have the labels 1 to 4, and some have three or five options
    grade=option_letter,
    prompts=CHOICE_PROMPTS,
    max_tokens=SHORT_TOKENS,
)
