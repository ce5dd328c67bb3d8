"""Which selection teaches a student most: arms x seeds on one log, each arm one `fusion select` and one `fusion train`.

Usage: python -m experiments distil run --config distil --out runs/distil pool=runs/micropool
       python -m experiments distil report --out runs/distil
"""
