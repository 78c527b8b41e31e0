"""Every public name of the package shows how it is used, and what it shows is true."""

import doctest
import inspect

import numpy as np
import pytest

import efield as ef

#: Packages have no examples of their own; registration needs a real brain, and is shown under examples/.
WITHOUT = {"__version__", "coils", "head", "io", "viz", "register_to_mni"}
NAMES = sorted(set(ef.__all__) - WITHOUT)


def examples(thing):
    """What is shown in the docstring of a class or function itself, and in those of a class's own methods."""
    texts = [thing.__doc__ or ""]
    if inspect.isclass(thing):
        texts += [member.__doc__ or "" for member in vars(thing).values() if inspect.isroutine(member)]
    return texts


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_public_name_are_true(name):
    thing = getattr(ef, name)
    assert ">>>" in (thing.__doc__ or ""), f"{name} has no example"
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    said = []
    for text in examples(thing):
        test = parser.get_doctest(text, {"ef": ef, "np": np}, name, None, None)
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
