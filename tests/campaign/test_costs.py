"""Estimates of time: all the work that is left is counted, at the rate at which it was done here."""

import pytest

from efield.campaign.compute import Bench
from efield.campaign.costs import MEASURING, RULES, Costs
from efield.campaign.estimate import estimate
from efield.campaign.plan import read_study
from efield.campaign.routes import Routes
from efield.campaign.survey import survey


@pytest.fixture(scope="module")
def plan(files, tmp_path_factory):
    """The small study, two heads of 20 placements each, and what its heads are."""
    from tests.campaign.conftest import STUDY

    path = tmp_path_factory.mktemp("costs") / "study.toml"
    path.write_text(STUDY.format(files=files))
    study = read_study(path)
    return study, survey(study)


@pytest.fixture(scope="module")
def bench(plan, tmp_path_factory):
    """It has computed the first 8 placements of the first head."""
    bench = Bench(plan[0], tmp_path_factory.mktemp("bases"))
    bench.chunk(next(plan[0].chunks()))
    return bench


def test_before_any_work_all_of_it_is_counted_by_rule(plan):
    study, facts = plan
    nodes = facts.heads[0].nodes
    whole = 2 * (nodes * RULES["head"] + 20 * RULES["laying"] + 20 * (nodes + MEASURING) * RULES["solve"])
    assert estimate(study, facts).seconds == pytest.approx(whole)


def test_what_was_done_is_timed_and_not_counted_again(plan, bench):
    study, facts = plan
    nodes, timed = facts.heads[0].nodes, bench.costs
    of_all = {kind: units for kind, units in timed.units.items() if isinstance(kind, str)}
    assert of_all == {"head": nodes, "laying": 8, "solve": 8 * (nodes + MEASURING)}
    left = timed.of(bench.routes, facts, list(study.chunks())[1:])
    # The other head, and 12 + 20 placements, as slow as these were.
    each = timed.seconds["laying"] + timed.seconds["solve"]
    assert left == pytest.approx(timed.seconds["head"] + 32 / 8 * each)


def test_a_reciprocal_study_counts_what_is_prepared_for_each_target(study_file):
    change = '[engine]\nkind = "reciprocal"\nexact = true\n[drive]'
    study = read_study(study_file(("[drive]", change)))
    facts = survey(study)
    nodes = facts.heads[0].nodes
    placement = RULES["laying"] + 2 * nodes * RULES["sum"]  # the coil has two dipoles
    each = (RULES["head"] + RULES["adjoint"]) * nodes + 20 * placement
    assert Costs().of(Routes(study), facts, study.chunks()) == pytest.approx(2 * each)
