"""From diffusion to conductivity tensors: what is kept, what is clipped, and that all of it is counted."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from efield.ground.errors import InputError
from efield.head.anisotropy import TUCH_FACTOR
from efield.head.conductivity import Conductivity
from efield.head.spheres import sphere_head
from efield.head.tensor_field import COMPONENTS, TensorField

#: Decompositions and sums in double precision.
ROUNDING = 1e-12

TURN = Rotation.from_rotvec((0.4, -0.7, 0.3)).as_matrix()
GRAY, WHITE = 0.275, 0.126


def tensor(*eigenvalues):
    return TURN @ np.diag(eigenvalues) @ TURN.T


#: mm^2/s; a tensor as of white matter.
FIBER = tensor(1.6e-3, 0.5e-3, 0.3e-3)


@pytest.fixture(scope="module")
def head():
    return sphere_head((30.0, 40.0, 45.0), (1, 2, 3), edge_mm=12.0)


def grid(value=FIBER, half=56.0, spacing=8.0, center=0.0):
    """The same tensor everywhere in a cube."""
    n = round(2 * half / spacing) + 1
    affine = np.diag((spacing, spacing, spacing, 1.0))
    affine[:3, 3] = center - half
    return TensorField(np.broadcast_to(value, (n, n, n, 3, 3)), affine)


def conduct(head, field, **options):
    return Conductivity().with_tensors(field, **options).per_tet_with_report(head)


def test_volume_normalized_tensors_keep_the_shape_of_diffusion_and_the_isotropic_volume(head):
    sigma, report = conduct(head, grid())
    for tag, isotropic in ((1, WHITE), (2, GRAY)):
        here = sigma[head.tissue == tag]
        np.testing.assert_allclose(np.linalg.det(here), isotropic**3, rtol=ROUNDING)
        np.testing.assert_allclose(here, np.tile(isotropic / np.cbrt(0.24) * 1e3 * FIBER, (len(here), 1, 1)), rtol=1e-9)
    assert (report.used, report.outside, report.missing, report.raised, report.capped) == (report.tets, 0, 0, 0, 0)
    assert report.used_fraction == pytest.approx(1.0)
    assert report.factor is None


def test_other_tissues_keep_their_isotropic_value(head):
    sigma, report = conduct(head, grid(), tissues="white matter")
    outside = head.tissue != 1
    assert report.tissues == (1,)
    assert report.tets == (~outside).sum()
    wanted = np.where(head.tissue == 2, GRAY, 1.654)[outside, None, None] * np.eye(3)
    assert np.array_equal(sigma[outside], wanted)


def test_without_tensors_conductivities_are_numbers(head):
    sigma, report = Conductivity().per_tet_with_report(head)
    assert sigma.shape == (len(head.tets),)
    assert report is None


@pytest.mark.parametrize(("factor", "wanted"), [(None, TUCH_FACTOR), (0.2, 0.2)])
def test_the_direct_mapping_is_one_factor(head, factor, wanted):
    sigma, report = conduct(head, grid(), mapping="direct", factor=factor)
    chosen = np.isin(head.tissue, (1, 2))
    # S s/mm^3 times mm^2/s is S/mm.
    np.testing.assert_allclose(sigma[chosen], np.tile(1e3 * wanted * FIBER, (chosen.sum(), 1, 1)), rtol=1e-9)
    assert report.factor == wanted


def test_the_fitted_factor_is_the_least_squares_one(head):
    """Two tissues of different diffusion: minimize sum (s_k - f d_k)^2 over f, here by brute force."""
    values = np.array(np.broadcast_to(tensor(7e-4, 7e-4, 7e-4), (57, 57, 57, 3, 3)))
    axis = np.arange(57) * 2.0 - 56
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    values[radius < 30] = tensor(4e-4, 4e-4, 4e-4)
    affine = np.diag((2.0, 2.0, 2.0, 1.0))
    affine[:3, 3] = -56
    sigma, report = conduct(head, TensorField(values, affine), mapping="direct-fitted")
    mean = [
        np.average(np.cbrt(np.linalg.det(sigma[head.tissue == tag])), weights=head.volumes[head.tissue == tag])
        / report.factor
        for tag in (1, 2)
    ]
    factors = np.linspace(0.5, 2.0, 2001)[:, None] * report.factor
    cost = ((np.array((WHITE, GRAY)) - factors * mean) ** 2).sum(axis=1)
    assert factors[cost.argmin(), 0] == pytest.approx(report.factor, rel=1e-3)
    assert 0.2 < report.factor < 0.5


@pytest.mark.parametrize("mapping", ["volume-normalized", "direct"])
def test_a_large_ratio_is_capped_and_counted(head, mapping):
    sigma, report = conduct(head, grid(tensor(2e-3, 1e-3, 1e-4)), mapping=mapping)
    chosen = np.isin(head.tissue, (1, 2))
    eigenvalues, axes = np.linalg.eigh(sigma[chosen])
    np.testing.assert_allclose(eigenvalues[:, 2] / eigenvalues[:, 0], 10, rtol=1e-9)
    np.testing.assert_allclose(eigenvalues[:, 2] / eigenvalues[:, 1], 2, rtol=1e-9)
    np.testing.assert_allclose(
        np.abs(axes.transpose(0, 2, 1) @ TURN[:, ::-1]), np.tile(np.eye(3), (chosen.sum(), 1, 1)), atol=1e-9
    )
    assert (report.capped, report.raised) == (chosen.sum(), 0)
    assert report.capped_fraction == pytest.approx(1.0)
    if mapping == "direct":
        np.testing.assert_allclose(eigenvalues[:, 2], TUCH_FACTOR * 2.0, rtol=1e-9)
    else:
        np.testing.assert_allclose(
            eigenvalues.prod(axis=1), np.where(head.tissue == 1, WHITE, GRAY)[chosen] ** 3, rtol=1e-9
        )


@pytest.mark.parametrize("smallest", [-2e-4, 0.0])
def test_zero_and_negative_eigenvalues_are_raised_and_counted(head, smallest):
    # A volume without any positive tensor is refused: a layer around the head has some.
    values, inside = np.array(grid().values), np.s_[1:-1, 1:-1, 1:-1]
    values[inside] = tensor(2e-3, 1e-3, smallest)[np.transpose(COMPONENTS)[0], np.transpose(COMPONENTS)[1]]
    sigma, report = conduct(head, TensorField(values, grid().affine), max_ratio=5.0)
    chosen = np.isin(head.tissue, (1, 2))
    eigenvalues = np.linalg.eigvalsh(sigma[chosen])
    np.testing.assert_allclose(eigenvalues[:, 2] / eigenvalues[:, 0], 5, rtol=1e-9)
    # Rounding decides on which side of zero an eigenvalue of zero falls; both are clipped alike.
    assert report.raised + report.capped == chosen.sum()
    if smallest < 0:
        assert report.raised == chosen.sum()
        assert any("zero or negative" in line for line in report.lines())


def test_a_ratio_of_just_the_limit_is_not_counted(head):
    _, report = conduct(head, grid(tensor(2e-3, 1e-3, 2e-4)))
    assert (report.capped, report.raised) == (0, 0)


@pytest.mark.parametrize("empty", [np.zeros((3, 3)), np.full((3, 3), np.nan), -FIBER, 1e-12 * FIBER])
def test_where_there_is_no_tensor_the_tissue_stays_isotropic(head, empty):
    values = np.array(grid(spacing=4.0).values)
    rows, columns = np.transpose([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)])
    values[: values.shape[0] // 2 - 2] = empty[rows, columns]
    sigma, report = conduct(head, TensorField(values, grid(spacing=4.0).affine))
    left = (head.barycenters[:, 0] < -16) & (head.tissue == 2)
    assert left.any()
    assert np.array_equal(sigma[left], np.tile(GRAY * np.eye(3), (left.sum(), 1, 1)))
    right = (head.barycenters[:, 0] > 0) & (head.tissue == 2)
    np.testing.assert_allclose(np.linalg.det(sigma[right]), GRAY**3, rtol=1e-9)
    assert np.abs(sigma[right][:, 0, 1]).min() > 0.01
    assert 0 < report.missing < report.tets
    assert report.used + report.missing == report.tets
    share = head.volumes[np.isin(head.tissue, (1, 2)) & np.isclose(sigma[:, 0, 1], 0)].sum()
    assert report.used_fraction == pytest.approx(1 - share / head.volumes[np.isin(head.tissue, (1, 2))].sum())


def test_what_lies_outside_the_volume_is_counted_as_such(head):
    sigma, report = conduct(head, grid(center=63.0))
    beyond = (head.barycenters < 63 - 56 - 4).any(axis=1) & np.isin(head.tissue, (1, 2))
    assert report.outside == beyond.sum() > 0
    assert not sigma[beyond][:, 0, 1].any()
    assert any("outside the volume" in line for line in report.lines())


def test_interpolation_is_linear_and_ignores_voxels_without_data():
    values = np.zeros((4, 2, 2, 6))
    values[..., (0, 3, 5)] = 1e-3 * (1 + np.arange(4.0))[:, None, None, None]
    values[3] = 0
    field = TensorField(values, np.diag((2.0, 2.0, 2.0, 1.0)))
    found, weight = field.sample([[1.0, 1, 1], [4.5, 1, 1], [5.5, 1, 1], [6.5, 1, 1], [-0.9, 1, 1], [-1.1, 1, 1]])
    np.testing.assert_allclose(found[:, 0] * 1e3, [1.5, 3, 3, 0, 1, 0], rtol=1e-12)
    np.testing.assert_allclose(weight, [1, 0.75, 0.25, 0, 1, -1], rtol=1e-12)


def test_a_volume_that_misses_the_head_is_refused_with_both_boxes(head):
    with pytest.raises(InputError, match=r"must overlap .* x 940 to 1060 .* register"):
        conduct(head, grid(center=1000.0))
    hollow = np.array(grid().values)
    hollow[2:-2, 2:-2, 2:-2] = 0
    with pytest.raises(InputError, match="must not be empty where the tissues are"):
        conduct(head, TensorField(hollow, grid().affine))


def test_a_head_without_the_tissues_is_refused(head):
    with pytest.raises(InputError, match=r"bone.*has the tags \(1, 2, 3\)"):
        conduct(head, grid(), tissues=("bone",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mapping": "volume"}, "did you mean 'volume-normalized'"),
        ({"factor": 0.5}, "factor must come with mapping='direct'"),
        ({"mapping": "direct", "factor": -1.0}, "factor must be > 0"),
        ({"max_ratio": 0.5}, "max_ratio"),
        ({"tissues": ()}, "at least one tissue"),
        ({"tissues": ("whiet matter",)}, "did you mean 'white-matter'"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Conductivity().with_tensors(grid(), **options)


def lopsided():
    value = FIBER.copy()
    value[0, 1] *= 2
    return value


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.tile(lopsided(), (2, 2, 2, 1, 1)), "symmetric"),
        (np.full((2, 2, 2, 3, 3), np.nan), "must not all be empty"),
        (np.full((2, 2, 2, 3, 3), np.inf), "must not all be empty"),
        (np.ones((2, 2, 2, 5)), "shape"),
        (np.ones((0, 2, 2, 6)), "shape"),
        (np.ones((0, 2, 2, 3, 3)), "shape"),
        (np.ones((2, 2, 2, 6), dtype=complex), "real"),
        (np.ones((2, 2, 2, 3, 3), dtype=complex), "shape|real"),
        (np.ones((2, 2, 2, 6)), "um"),
    ],
)
def test_what_is_no_field_of_tensors_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        TensorField(values, np.eye(4))


def test_an_affine_that_is_singular_is_refused():
    with pytest.raises(InputError, match="invertible"):
        TensorField(np.tile(FIBER, (2, 2, 2, 1, 1)), np.zeros((4, 4)))


def test_arrays_in_another_order_are_refused():
    places = [0, 3, 5, 1, 2, 4]
    with pytest.raises(InputError, match="order xx, xy, xz, yy, yz, zz"):
        TensorField(grid().values[..., places], grid().affine)
