"""The grids of the golden values and how the tables call them."""

from .normal import flow_grid, golden_grid, karras_grid

GOLDEN = "vp-linear, quadratic in t from 1 to 1e-3, 5 steps, from 1"
KARRAS = "edm, karras from 80 to 0, {} steps, from 80"
KARRAS_8 = KARRAS.format(8)
FLOW = "flow, uniform in t from 1 to 0, 5 steps, from 1"
SHIFTED = "flow, uniform in t from 1 to 0 with shift 3, 5 steps, from 1"

VP, EDM = golden_grid(), karras_grid(8)
UNIFORM_FLOW, SHIFTED_FLOW = flow_grid(1), flow_grid(3)
