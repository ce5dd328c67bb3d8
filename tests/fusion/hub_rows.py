"""A few rows per task, written for the tests with the columns of the data sets on the hub, and what is right for them.

The rows of a task become one Parquet file, so a column has one type: beside 1.5 a whole number is 2.0.
"""

ROWS = {
    "gsm8k": [
        {
            "question": "Tom has 1,000 pens and buys 234. How many?",
            "answer": "1000 + 234 = <<1000+234=1234>>1234\n#### 1,234",
        },
        {"question": "Ann has 5 pens and loses 7. How many?", "answer": "5 - 7 = -2\n#### -2"},
    ],
    "math": [
        {
            "problem": "What is $1/4 + 1/4$?",
            "level": "Level 1",
            "solution": "Add: $\\boxed{\\frac{1}{2}}$.",
            "type": "Algebra",
        },
        {
            "problem": "Solve $x^2=4$.",
            "level": "Level 2",
            "solution": "$\\boxed{-2, 2}$",
            "type": "Intermediate Algebra",
        },
    ],
    "mbpp": [
        {
            "task_id": 11,
            "text": "Write a function to sum the digits.",
            "code": "import math\ndef helper(x):\n    return x\ndef sum(n):\n    return helper(1) and __builtins__ and n",
            "test_list": ["assert sum(12) == 3", "assert math.isclose(sum(7), 7)", "assert sum(0) == 0"],
            "test_setup_code": "",
            "challenge_test_list": [],
        },
        {
            "task_id": 12,
            "text": "Write a function to find the height of a tree.",
            "code": "class Node:\n    def __init__(self, data):\n        self.left = None\ndef height(node):\n    return 0",
            "test_list": ["assert height(root) == 2"],
            "test_setup_code": "root = Node(1)\nroot.left = Node(2)",
            "challenge_test_list": [],
        },
    ],
    "human_eval": [
        {
            "task_id": "HumanEval/0",
            "prompt": 'from typing import List\n\n\ndef double(x: int) -> int:\n    return 2 * x\n\n\ndef total(xs: List[int]) -> int:\n    """Add twice each."""\n',
            "canonical_solution": "    return sum(map(double, xs))\n",
            "test": "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate([1, 2]) == double(3)\n    assert candidate([]) == 0\n",
            "entry_point": "total",
        }
    ],
    "commonsense_qa": [
        {
            "id": "c1",
            "question": "Where is milk kept cold?",
            "question_concept": "milk",
            "choices": {"label": ["A", "B", "C", "D", "E"], "text": ["oven", "fridge", "bed", "car", "sky"]},
            "answerKey": "B",
        }
    ],
    "openbook_qa": [
        {
            "id": "o1",
            "question_stem": "Plants need",
            "choices": {"text": ["light", "coal", "noise", "cars"], "label": ["A", "B", "C", "D"]},
            "answerKey": "A",
        }
    ],
    "arc_challenge": [
        {
            "id": "a1",
            "question": "Which one is a gas?",
            "choices": {"text": ["iron", "ice", "air", "wood"], "label": ["1", "2", "3", "4"]},
            "answerKey": "3",
        },
        {
            "id": "a2",
            "question": "Which of three is a metal?",
            "choices": {"text": ["iron", "ice", "air"], "label": ["A", "B", "C"]},
            "answerKey": "A",
        },
        {
            "id": "a3",
            "question": "Which of five is a plant?",
            "choices": {"text": ["iron", "ice", "air", "cat", "oak"], "label": ["A", "B", "C", "D", "E"]},
            "answerKey": "E",
        },
    ],
    "hellaswag": [
        {
            "ind": 4,
            "activity_label": "Roof removal",
            "ctx_a": "A man is on a roof.",
            "ctx_b": "he",
            "ctx": "A man is on a roof. he",
            "endings": ["flies away.", "pulls up tiles.", "eats the sun.", "is a fish."],
            "source_id": "activitynet~v_x",
            "split": "val",
            "split_type": "indomain",
            "label": "1",
        }
    ],
    "natural_qa": [
        {"question": "who wrote the odyssey", "answer": ["Homer", "the poet Homer"]},
        {"question": "how many moons has mars", "answer": ["2", "two"]},
    ],
    "trivia_qa": [
        {
            "question": "Which city is the capital of France?",
            "question_id": "tc_1",
            "question_source": "http://www.triviacountry.com/",
            "entity_pages": {"doc_source": [], "filename": [], "title": [], "wiki_context": []},
            "search_results": {
                "description": [],
                "filename": [],
                "rank": [],
                "title": [],
                "url": [],
                "search_context": [],
            },
            "answer": {
                "aliases": ["Paris, France", "City of Light"],
                "normalized_aliases": ["paris france", "city of light"],
                "matched_wiki_entity_name": "",
                "normalized_matched_wiki_entity_name": "",
                "normalized_value": "paris",
                "type": "WikipediaEntity",
                "value": "Paris",
            },
        }
    ],
    "squad": [
        {
            "id": "s1",
            "title": "Rivers",
            "context": "The Rhine rises in the Alps and ends in the North Sea.",
            "question": "Where does the Rhine rise?",
            "answers": {"text": ["the Alps", "Alps", "in the Alps"], "answer_start": [19, 23, 16]},
        }
    ],
    "boolq": [
        {"question": "is the sun a star", "answer": True, "passage": "The Sun is the star of our system."},
        {"question": "is the moon a star", "answer": False, "passage": "The Moon orbits the Earth."},
    ],
    "mmlu": [
        {"question": "2 + 2 =", "subject": "elementary_mathematics", "choices": ["3", "4", "5", "6"], "answer": 1},
    ],
    "gpqa": [
        {
            "Question": f"Which particle has number {number}?",
            "Correct Answer": f"right {number}\n",
            "Incorrect Answer 1": f"wrong {number} a",
            "Incorrect Answer 2": f"wrong {number} b",
            "Incorrect Answer 3": f"wrong {number} c",
            "Record ID": f"rec{number}",
            "Subdomain": "Quantum Mechanics",
            "High-level domain": "Physics",
        }
        for number in range(40)
    ],
}

GOLD = {  # of every task whose answer is text
    "gsm8k": ["1234", "-2"],
    "math": ["\\frac{1}{2}", "-2, 2"],
    "commonsense_qa": ["B"],
    "openbook_qa": ["A"],
    "arc_challenge": ["C", "A", "E"],
    "hellaswag": ["B"],
    "natural_qa": ['["Homer", "the poet Homer"]', '["2", "two"]'],
    "trivia_qa": ['["Paris", "Paris, France", "City of Light"]'],
    "squad": ['["the Alps", "Alps", "in the Alps"]'],
    "boolq": ["yes", "no"],
    "mmlu": ["B"],
}
SOLUTIONS = {  # of every task whose answer is code
    "mbpp": ["def sum(n):\n    return int(n > 9) * 3 + n * int(n < 9)", "class Node:\n    def __init__(self, d):\n        self.left = None\ndef height(n):\n    return 1 + height(n.left) if n else 0"],
    "human_eval": ["def total(xs):\n    return 2 * sum(xs)"],
}  # fmt: skip
SHUFFLED = {"gpqa"}
"""Tasks whose options are shown in another order than in the row, so that no letter is gold of it."""
PROMPT_HOLDS_ANSWER = {"mbpp", "human_eval", "squad", "boolq"}
"""Tasks whose prompt shows tests, holds the answer in its passage, or names both answers."""
