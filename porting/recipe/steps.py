"""The 14 steps, in the order in which a contributor meets them, and what of each a person has to say."""

from __future__ import annotations

from dataclasses import dataclass

from porting.recipe.claims import Finding, PersonClaim


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the recipe; what programs verify of it are the checks that name its number.

    Attributes:
        number: from 1 to 14.
        title: what is to be done.
        about: what it is about, in a sentence.
        person: what a person has to say of it.
        optional: why a port is complete without the whole step; empty if it is not.
    """

    number: int
    title: str
    about: str
    person: tuple[PersonClaim, ...] = ()
    optional: str = ""


STEPS = (
    Step(
        1,
        "Understand the model, and what is new in it",
        "What the paper says, what the model is for, and how it differs from the nearest one that is there.",
        (
            PersonClaim(
                "theory",
                "It is known whether the model is an encoder, a decoder or both, what its task is, and what is new "
                "against the nearest model of Transformers.",
            ),
        ),
        optional="understanding shows in the port itself",
    ),
    Step(
        2,
        "Set up the development environment of Transformers",
        "An editable checkout of Transformers, on a branch of its own, with versions that go together.",
    ),
    Step(
        3,
        "Set up the original repository so that it can be debugged",
        "The original's code runs here, in this interpreter or in one of its own.",
    ),
    Step(
        4,
        "Run the original's forward with its checkpoint",
        "One forward of the original with its real weights, the same in every run.",
    ),
    Step(
        5,
        "Write the model's skeleton in Transformers",
        "Config and classes that build from their defaults, in the form that Transformers asks for.",
    ),
    Step(
        6,
        "Convert the checkpoint",
        "Every tensor of the port has the name, shape and value that it should have, and nothing is lost.",
        (
            PersonClaim(
                "left-out",
                "What the rules leave out of the checkpoint is rightly left out.",
                asks=("checkpoint", "rules"),
                found_by=Finding(
                    "check_weights_used", "reasons_to_leave_out", lambda value: value == 0, "not applicable"
                ),
            ),
        ),
    ),
    Step(
        7,
        "Get the original's output from the port's forward",
        "Both models give the same on the same inputs: first the shapes, then the values, module by module.",
    ),
    Step(
        8,
        "Add the model's tests",
        "The common tests, integration tests with the original's values, and tests of what is special in this model.",
        (
            PersonClaim(
                "special-tests",
                "What is special in this model has tests of its own, beside the common ones.",
                rests_on="check_structure",
            ),
        ),
    ),
    Step(
        9,
        "Port the tokenizer",
        "Text, conversations, images and sounds become what the original makes of them.",
    ),
    Step(
        10,
        "Run end-to-end integration tests, also on a GPU",
        "Text in, text out, by the port's own generate and pipeline, on every device.",
        (
            PersonClaim(
                "ran-on-gpu",
                "The port ran on a GPU, and gave what it gives on the cpu.",
                rests_on="check_structure",
                optional="the reviewers' CI runs it on one",
                found_by=Finding("check_follows_device", "gpu", lambda value: ": equal" in str(value), "done"),
            ),
        ),
    ),
    Step(
        11,
        "Write docstrings and the doc page",
        "Every public class is documented, and the page says what the model is and how to use it.",
        (
            PersonClaim(
                "page-complete",
                "The page says what a user must know: what the model is for, where it comes from, how it is run.",
                rests_on="check_doc_page",
            ),
        ),
    ),
    Step(
        12,
        "Upload the weights to the Hub, with a model card each",
        "The converted folder is complete, loads again, and is where users find it.",
        (
            PersonClaim(
                "uploaded",
                "The weights are on the Hub, with a model card each.",
                rests_on="check_converted_folder",
                first=("check_converted_folder", "upload"),
            ),
        ),
    ),
    Step(
        13,
        "Write a notebook",
        "A notebook that shows the model in use, from top to bottom.",
        optional="the doc page has an example",
    ),
    Step(
        14,
        "Open the pull request",
        "The text for the reviewers, with this checklist as its evidence.",
        (
            PersonClaim("coordination", "The issue in which this port was agreed on is linked."),
            PersonClaim(
                "read-every-line",
                "A person has read every line of the port and understands it.",
                rests_on="check_structure",
            ),
            PersonClaim("ai-use", "The use of AI is disclosed, or there was none."),
        ),
    ),
)
