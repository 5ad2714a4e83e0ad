#!/usr/bin/env python3
"""Trajectories of diffusers' schedulers on a linear model, for `samplers/tests/diffusers.rs`.

Run with Python 3.11 and the versions of `scripts/parity/requirements.txt`, on the CPU:

    python scripts/parity/make_diffusers_trajectories.py samplers/tests/fixtures/diffusers_trajectories.json

The data is normal with deviation 1/2, so that the exact network is linear: at the timestep that the scheduler passes to
it, `eps = sigma x / (alpha^2 / 4 + sigma^2)`. Between rows of the table `ln(sigma / alpha)` is linear. Noise starts as
the number 1; noise number k of a stochastic scheduler (from 0) is `cos(k)`.

Each setting runs with 1 to 20 steps, twice. The first run is of the scheduler's own code in float64: the modules `np`
and `torch` that it sees say float64 where they are asked for float32. This shows the formulas without the rounding, and
is stored after every step with 9 digits. The second run is of the scheduler as it is, with a float64 sample; of it the
last state is stored with 8 digits. Both are null where the scheduler fails or returns no finite number; "error" says
which. The file is the same at every run on one processor; on another, float32 rounds otherwise, which changes "shipped".

The table in float32 can move a timestep that is made a row, by rounding under Karras levels and by a cast under
exponential and beta ones; "moved" lists the numbers of steps where it does.

Format: "times" is a list of lists of timesteps, one list for each number of steps from 1; a case names its own by "t".
"x" and "shipped" have one entry for each number of steps. States of the schedulers on the variance-exploding scale are
divided by `sqrt(sigma^2 + 1)` at the scheduler's own sigma, except the last, which is left as it is handed out.
"""

import contextlib
import io
import itertools
import json
import logging
import math
import platform
import sys
import warnings

import numpy as np
import torch

warnings.filterwarnings("ignore")
with contextlib.redirect_stderr(io.StringIO()):
    import diffusers
    from diffusers.schedulers import scheduling_ddim
    from diffusers.schedulers import scheduling_deis_multistep
    from diffusers.schedulers import scheduling_dpmsolver_multistep
    from diffusers.schedulers import scheduling_euler_ancestral_discrete
    from diffusers.schedulers import scheduling_euler_discrete
    from diffusers.schedulers import scheduling_flow_match_euler_discrete
    from diffusers.schedulers import scheduling_heun_discrete
    from diffusers.schedulers import scheduling_lms_discrete
    from diffusers.schedulers import scheduling_pndm
    from diffusers.schedulers import scheduling_unipc_multistep

STEPS = range(1, 21)
C2 = 0.25
TABLES = {
    "ddpm": dict(beta_schedule="linear", beta_start=1e-4, beta_end=0.02),
    "sd": dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
}
CLASSES = {
    "ddim": (scheduling_ddim, "DDIMScheduler", dict(clip_sample=False)),
    "euler": (scheduling_euler_discrete, "EulerDiscreteScheduler", {}),
    "euler-ancestral": (scheduling_euler_ancestral_discrete, "EulerAncestralDiscreteScheduler", {}),
    "lms": (scheduling_lms_discrete, "LMSDiscreteScheduler", {}),
    "pndm": (scheduling_pndm, "PNDMScheduler", {}),
    "heun": (scheduling_heun_discrete, "HeunDiscreteScheduler", {}),
    "deis": (scheduling_deis_multistep, "DEISMultistepScheduler", {}),
    "dpmsolver-multistep": (scheduling_dpmsolver_multistep, "DPMSolverMultistepScheduler", {}),
    "unipc": (scheduling_unipc_multistep, "UniPCMultistepScheduler", {}),
    "flow-match-euler": (scheduling_flow_match_euler_discrete, "FlowMatchEulerDiscreteScheduler", {}),
}
# Specification: paths. The settings that people use run on both tables.
BOTH, SD, DDPM, FLOW = ("ddpm", "sd"), ("sd",), ("ddpm",), ("flow",)
KARRAS, SIGMA_MIN = ":use_karras_sigmas=true", ":final_sigmas_type=sigma_min"
EXP, BETA, LU = ":use_exponential_sigmas=true", ":use_beta_sigmas=true", ":use_lu_lambdas=true"
LEADING, TRAILING = ":timestep_spacing=leading", ":timestep_spacing=trailing"
OFFSET = LEADING + ":steps_offset=1"
FULL = ":lower_order_final=false"
CASES = {
    "ddim": BOTH,
    "ddim:timestep_spacing=linspace": SD,
    "ddim:timestep_spacing=trailing": BOTH,
    "ddim:steps_offset=1:set_alpha_to_one=false": SD,
    "ddim:set_alpha_to_one=false": DDPM,
    "ddim:timestep_spacing=linspace:set_alpha_to_one=false": DDPM,
    "ddim:eta=1": BOTH,
    "ddim:eta=0.5:set_alpha_to_one=false": SD,
    "ddim:eta=0.8:timestep_spacing=linspace": SD,
    "pndm:skip_prk_steps=true:steps_offset=1": BOTH,
    "pndm:skip_prk_steps=true": SD,
    "pndm:skip_prk_steps=true:set_alpha_to_one=true:timestep_spacing=linspace": DDPM,
    "pndm": DDPM,
    "pndm:set_alpha_to_one=true:timestep_spacing=trailing": SD,
    "pndm:steps_offset=1:timestep_spacing=linspace": SD,
    "euler-ancestral": BOTH,
    "euler-ancestral" + OFFSET: SD,
    "euler-ancestral" + TRAILING: DDPM,
    "lms": BOTH,
    "lms" + KARRAS: SD,
    "lms:order=2" + OFFSET: SD,
    "lms:order=3" + TRAILING + KARRAS: DDPM,
    "euler": BOTH,
    "euler" + KARRAS: BOTH,
    "euler" + OFFSET: SD,
    "euler" + TRAILING: SD,
    "euler" + TRAILING + SIGMA_MIN: DDPM,
    "euler" + KARRAS + SIGMA_MIN: SD,
    "euler" + OFFSET + KARRAS: DDPM,
    "heun": BOTH,
    "heun" + KARRAS: BOTH,
    "heun" + OFFSET: SD,
    "heun" + TRAILING + KARRAS: DDPM,
    "deis": BOTH,
    "deis:solver_order=1": DDPM,
    "deis:solver_order=3": BOTH,
    "deis:solver_order=3" + KARRAS: BOTH,
    "deis" + KARRAS: SD,
    "deis:solver_order=3" + TRAILING: DDPM,
    "deis" + OFFSET: SD,
    "deis:solver_order=3" + FULL: SD,
    "dpmsolver-multistep": BOTH,
    "dpmsolver-multistep" + KARRAS: BOTH,
    "dpmsolver-multistep:solver_order=3" + KARRAS: SD,
    "dpmsolver-multistep:solver_order=3": BOTH,
    "dpmsolver-multistep:solver_order=1" + TRAILING: DDPM,
    "dpmsolver-multistep:solver_type=heun" + TRAILING: SD,
    "dpmsolver-multistep" + OFFSET: SD,
    "dpmsolver-multistep:solver_order=3" + FULL: DDPM,
    "dpmsolver-multistep:solver_order=3" + SIGMA_MIN + FULL: SD,
    "dpmsolver-multistep:euler_at_final=true" + SIGMA_MIN: DDPM,
    "dpmsolver-multistep" + KARRAS + SIGMA_MIN: SD,
    "dpmsolver-multistep:solver_type=heun" + KARRAS + SIGMA_MIN: DDPM,
    "dpmsolver-multistep:solver_order=3:euler_at_final=true" + KARRAS + SIGMA_MIN: SD,
    "dpmsolver-multistep:algorithm_type=dpmsolver": DDPM,
    "dpmsolver-multistep:algorithm_type=dpmsolver" + SIGMA_MIN: DDPM,
    "dpmsolver-multistep:algorithm_type=dpmsolver:solver_order=3" + SIGMA_MIN: SD,
    "dpmsolver-multistep:algorithm_type=dpmsolver:solver_type=heun" + SIGMA_MIN: SD,
    "dpmsolver-multistep:algorithm_type=sde-dpmsolver++": BOTH,
    "dpmsolver-multistep:algorithm_type=sde-dpmsolver++:solver_order=1": DDPM,
    "dpmsolver-multistep:algorithm_type=sde-dpmsolver++:solver_type=heun" + KARRAS: SD,
    "dpmsolver-multistep:algorithm_type=sde-dpmsolver++:solver_order=3" + TRAILING: SD,
    "dpmsolver-multistep:algorithm_type=sde-dpmsolver" + SIGMA_MIN: SD,
    "dpmsolver-multistep:algorithm_type=sde-dpmsolver:solver_type=heun" + SIGMA_MIN: SD,
    "dpmsolver-multistep:algorithm_type=sde-dpmsolver:solver_order=3" + SIGMA_MIN: SD,
    "unipc": BOTH,
    "unipc:solver_order=1": SD,
    "unipc:solver_order=3": BOTH,
    "unipc" + KARRAS: SD,
    "unipc:solver_order=3" + KARRAS: DDPM,
    "unipc:solver_type=bh1": SD,
    "unipc:solver_type=bh1" + SIGMA_MIN: BOTH,
    "unipc:solver_type=bh1:solver_order=3" + SIGMA_MIN: SD,
    "unipc:predict_x0=false": SD,
    "unipc:predict_x0=false" + SIGMA_MIN: DDPM,
    "unipc:predict_x0=false:solver_type=bh1:solver_order=3" + SIGMA_MIN: SD,
    "unipc:disable_corrector=0+1+2": SD,
    "unipc:solver_order=3" + KARRAS + SIGMA_MIN: SD,
    "unipc" + KARRAS + SIGMA_MIN + FULL: SD,
    "unipc:solver_order=3" + SIGMA_MIN + FULL: DDPM,
    "unipc:solver_order=3" + FULL: DDPM,
    "unipc:solver_order=3" + KARRAS + SIGMA_MIN + FULL: SD,
    "unipc" + TRAILING: SD,
    "unipc:solver_order=3" + OFFSET: SD,
    "dpmsolver-multistep:use_flow_sigmas=true": FLOW,
    "dpmsolver-multistep:use_flow_sigmas=true:flow_shift=3:solver_order=3": FLOW,
    "dpmsolver-multistep:use_flow_sigmas=true:flow_shift=5" + SIGMA_MIN: FLOW,
    "dpmsolver-multistep:use_flow_sigmas=true:algorithm_type=sde-dpmsolver++:flow_shift=3": FLOW,
    "dpmsolver-multistep:use_flow_sigmas=true:algorithm_type=dpmsolver" + SIGMA_MIN: FLOW,
    "deis:use_flow_sigmas=true": FLOW,
    "deis:use_flow_sigmas=true:flow_shift=3:solver_order=3": FLOW,
    "unipc:use_flow_sigmas=true": FLOW,
    "unipc:use_flow_sigmas=true:flow_shift=3": FLOW,
    "unipc:use_flow_sigmas=true:flow_shift=5:solver_order=3": FLOW,
    "unipc:use_flow_sigmas=true:flow_shift=3:solver_type=bh1" + SIGMA_MIN: FLOW,
    "unipc:use_flow_sigmas=true:predict_x0=false" + SIGMA_MIN: FLOW,
    "euler" + EXP: BOTH,
    "euler" + BETA: BOTH,
    "euler" + BETA + OFFSET + SIGMA_MIN: DDPM,
    "heun" + EXP: SD,
    "heun" + BETA: DDPM,
    "lms" + EXP: DDPM,
    "lms" + BETA + TRAILING: SD,
    "deis" + EXP: DDPM,
    "deis:solver_order=3" + BETA: BOTH,
    "dpmsolver-multistep" + EXP: DDPM,
    "dpmsolver-multistep" + BETA: BOTH,
    "dpmsolver-multistep" + LU: BOTH,
    "dpmsolver-multistep:solver_order=3" + BETA + SIGMA_MIN: DDPM,
    "dpmsolver-multistep:algorithm_type=sde-dpmsolver++" + LU: SD,
    "unipc" + EXP: BOTH,
    "unipc:solver_order=3" + BETA: DDPM,
    "unipc" + BETA + SIGMA_MIN: DDPM,
    "flow-match-euler": FLOW,
    "flow-match-euler:shift=3": FLOW,
    "flow-match-euler:shift=0.5": FLOW,
    "flow-match-euler:use_dynamic_shifting=true:mu=1.15": FLOW,
    "flow-match-euler:use_dynamic_shifting=true:mu=0.5:sigmas=pipeline": FLOW,
    "flow-match-euler:use_dynamic_shifting=true:mu=0.8:time_shift_type=linear": FLOW,
    "flow-match-euler:use_dynamic_shifting=true:mu=0.9:sigmas=pipeline:shift_terminal=0.02": FLOW,
    "flow-match-euler:shift=3:sigmas=pipeline:shift_terminal=0.1": FLOW,
    "flow-match-euler:shift=3" + KARRAS: FLOW,
    "flow-match-euler" + EXP: FLOW,
    "flow-match-euler:shift=3" + BETA: FLOW,
    "flow-match-euler:shift=3:stochastic_sampling=true": FLOW,
    "euler:s_churn=4:s_noise=1.01": BOTH,
    "euler:s_churn=20:s_tmin=0.05:s_tmax=5" + KARRAS: SD,
}


class Wide:
    """A module that says float64 where it is asked for float32."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, "float64" if name == "float32" else name)


@contextlib.contextmanager
def in_float64(module):
    module.np, module.torch = Wide(np), Wide(torch)
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        module.np, module.torch = np, torch
        torch.set_default_dtype(torch.float32)


class Gauss:
    """Stands for `scipy.integrate`: LMS integrates polynomials of degree 3, which two points do exactly."""

    @staticmethod
    def quad(f, a, b, **_):
        a, b = float(a), float(b)
        mean, half = (a + b) / 2, (b - a) / 2
        return half * sum(f(mean + sign * half / math.sqrt(3)) for sign in (-1, 1)), 0.0


class Table:
    """alpha and sigma of a real row number, in float64."""

    def __init__(self, beta_schedule, beta_start, beta_end):
        root = beta_schedule == "scaled_linear"
        ends = np.sqrt([beta_start, beta_end]) if root else [beta_start, beta_end]
        beta = np.linspace(*ends, 1000) ** (2 if root else 1)
        ln_alpha_bar = np.cumsum(np.log1p(-beta))
        self.ln_rho = 0.5 * np.log(-np.expm1(ln_alpha_bar)) - 0.5 * ln_alpha_bar

    def eps(self, x, t):
        rho = math.exp(np.interp(t, np.arange(1000), self.ln_rho))
        alpha = 1 / math.hypot(rho, 1)
        sigma = rho * alpha
        return sigma * x / (alpha * alpha * C2 + sigma * sigma)


def flow(x, t):
    sigma, alpha = t, 1 - t
    eps = sigma * x / (alpha * alpha * C2 + sigma * sigma)
    x0 = alpha * C2 * x / (alpha * alpha * C2 + sigma * sigma)
    return eps - x0


def parameters(spec):
    name, *pairs = spec.split(":")
    values = {}
    for pair in pairs:
        key, text = pair.split("=")
        if key == "disable_corrector":
            values[key] = [int(v) for v in text.split("+")]
        elif text in ("true", "false"):
            values[key] = text == "true"
        else:
            try:
                values[key] = int(text) if text.isdigit() else float(text)
            except ValueError:
                values[key] = text
    return name, values


def run(spec, path, steps, wide=False):
    """The timesteps and the state after every step."""
    name, values = parameters(spec)
    module, class_name, always = CLASSES[name]
    table = TABLES.get(path)
    # These are arguments of the steps, not of the scheduler.
    own = ("eta", "order", "s_churn", "s_tmin", "s_tmax", "s_noise")
    given_to_steps = {key: values.pop(key) for key in own if key in values}
    # And these of `set_timesteps`; the list is that of the pipelines of FLUX and its kin.
    given_to_set = {"mu": values.pop("mu")} if "mu" in values else {}
    if values.pop("sigmas", None) == "pipeline":
        given_to_set["sigmas"] = np.linspace(1, 1 / steps, steps)
    if values.get("use_flow_sigmas"):
        always = dict(prediction_type="flow_prediction")
    scheduler = getattr(module, class_name)(**(table or {}), **always, **values)
    if wide and hasattr(scheduler, "_sigma_to_t"):
        exact = scheduler._sigma_to_t
        # A time that is cut to a whole number must not lose a row to the last digit of a logarithm.
        scheduler._sigma_to_t = lambda *args: np.round(exact(*args), 9)
    scheduler.set_timesteps(steps, **given_to_set)
    exploding = name in ("euler", "euler-ancestral", "heun", "lms")
    one = torch.ones((1, 1, 1, 1), dtype=torch.float64)
    x = one * float(getattr(scheduler, "init_noise_sigma", 1.0))
    network = Table(**table).eps if table else (lambda x, t: flow(x, t / 1000))
    states = []
    draws = itertools.count()
    module.randn_tensor = lambda *_, **__: one * math.cos(next(draws))
    times = scheduler.timesteps
    for i, t in enumerate(times):
        given = scheduler.scale_model_input(x, t) if table else x
        extra = dict(given_to_steps)
        if "sde" in values.get("algorithm_type", "") or "eta" in extra:
            extra["variance_noise"] = one * math.cos(i)
        module.integrate = Gauss
        x = scheduler.step(network(given, t.item()), t, x, **extra).prev_sample.double()
        if name == "heun":
            middle = i + 1 < len(times) and i % 2 == 0
        elif name == "pndm" and values.get("skip_prk_steps"):
            middle = i == 0 and steps > 1
        else:
            middle = name == "pndm" and i < 12 and i % 4 != 3
        if not middle:
            level = float(scheduler.sigmas[scheduler.step_index]) if exploding and i + 1 < len(times) else 0.0
            states.append(x.item() / math.hypot(level, 1))
    return times.tolist(), states


def attempt(spec, path, steps, wide=False):
    try:
        times, states = run(spec, path, steps, wide)
    except Exception as e:
        return None, None, type(e).__name__
    if not all(map(math.isfinite, states)):
        return times, None, "not finite"
    return times, states, None


def digits(values, n):
    return [int(v) if v == int(v) else float(f"{v:.{n}g}") for v in values]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    sequences, cases = [], []
    for spec, paths in CASES.items():
        for path in paths:
            module = CLASSES[spec.split(":")[0]][0]
            times, x, shipped, errors = [], [], [], []
            worst, moved = (0.0, 0), []
            for steps in STEPS:
                t_32, as_is, error = attempt(spec, path, steps)
                with in_float64(module):
                    t_64, wide, _ = attempt(spec, path, steps, wide=True)
                # Where the code as it is fails, the wide run is of no use: it may get past an exact 0 by rounding.
                ok = as_is is not None
                if ok:
                    assert wide is not None, (spec, steps)
                    # Real timesteps differ in the last digits of float32, whole ones not at all or by a row.
                    shift = np.abs(np.subtract(t_32, t_64)).max()
                    assert shift < 1.5, (spec, path, steps)
                    if shift > 0.5:
                        moved.append(steps)
                    gap = abs(as_is[-1] - wide[-1]) / (abs(wide[-1]) or 1)
                    worst = max(worst, (gap, steps)) if steps not in moved else worst
                errors.append(error)
                times.append(digits(t_64, 12) if ok else [])
                x.append(digits(wide, 9) if ok else None)
                shipped.append(digits(as_is[-1:], 8)[0] if ok else None)
            if times not in sequences:
                sequences.append(times)
            case = {"spec": spec, "path": path, "t": sequences.index(times), "x": x, "shipped": shipped}
            if moved:
                case["moved"] = moved
            if any(errors):
                case["error"] = errors
            cases.append(case)
            kinds = {e: errors.count(e) for e in errors if e}
            print(f"{path:5s} {spec:95s} float32 off by {worst[0]:.1e} at {worst[1]:2d} {moved or ''} {kinds or ''}")
    about = {
        "made by": "scripts/parity/make_diffusers_trajectories.py",
        "diffusers": diffusers.__version__,
        "torch": torch.__version__.split("+")[0],
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    lines = ['{"about": ' + json.dumps(about) + ',', '"times": [']
    lines.append(",\n".join(json.dumps(s, separators=(",", ":")) for s in sequences))
    lines.append('],\n"cases": [')
    lines.append(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
    lines.append("]}")
    text = "\n".join(lines) + "\n"
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write(text)
    print(f"{len(cases)} cases, {len(sequences)} sequences of timesteps, {len(text)} bytes")


if __name__ == "__main__":
    main()
