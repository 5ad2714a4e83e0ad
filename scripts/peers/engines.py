"""The peers: each builds, for a batch size, a function without arguments that runs one forward pass.

An engine is a function of (unet folder, inputs) that gives `build(batch, threads) -> run`; `run()` gives the output.
"""

import os
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel


class Plain(torch.nn.Module):
    """The network as a function of tensors that returns a tensor."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, t, label):
        return self.net(x, t, class_labels=label, return_dict=False)[0]


def load(folder):
    return Plain(UNet2DModel.from_pretrained(folder, low_cpu_mem_usage=False)).eval()


def arguments(inputs, batch):
    return inputs["x"][:batch].clone(), inputs["t"][:batch].clone(), inputs["class"][:batch].clone()


def torch_engine(dtype=torch.float32, channels_last=False, compiled=None):
    def engine(folder, inputs):
        torch.set_grad_enabled(False)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        net = load(folder).to(dtype=dtype, memory_format=layout)

        def build(batch, threads):
            x, t, label = arguments(inputs, batch)
            x = x.to(dtype=dtype, memory_format=layout)
            run = compiled(net, (x, t, label)) if compiled else net
            return lambda: run(x, t, label)

        return build

    return engine


def traced(net, args):
    return torch.jit.freeze(torch.jit.trace(net, args, check_trace=False))


def inductor(net, args):
    import torch._inductor.config as config

    config.cpp.dynamic_threads = True  # one compilation for all thread counts
    return torch.compile(net, dynamic=False)


def onnx_file(folder, inputs, batch):
    """The network in ONNX at one batch size, exported once."""
    path = Path(folder).parent / f"batch{batch}.onnx"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}.part")
        names = ["x", "t", "class"]
        with torch.no_grad():
            torch.onnx.export(
                load(folder), arguments(inputs, batch), part, input_names=names, dynamo=True, external_data=False
            )
        os.replace(part, path)
    return str(path)


def onnx_runtime(folder, inputs):
    import onnxruntime as ort

    def build(batch, threads):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        path = onnx_file(folder, inputs, batch)
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        feed = {name: value.numpy() for name, value in zip(["x", "t", "class"], arguments(inputs, batch))}
        return lambda: session.run(None, feed)[0]

    return build


def open_vino(precision):
    def engine(folder, inputs):
        import openvino as ov

        core = ov.Core()

        def build(batch, threads):
            settings = {
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": precision,
                "PERFORMANCE_HINT": "LATENCY",
            }
            model = core.compile_model(onnx_file(folder, inputs, batch), "CPU", settings)
            request = model.create_infer_request()
            feed = {name: value.numpy() for name, value in zip(["x", "t", "class"], arguments(inputs, batch))}
            return lambda: request.infer(feed)[0]

        return build

    return engine


ENGINES = {
    "eager f32 NCHW": torch_engine(),
    "eager f32 NHWC": torch_engine(channels_last=True),
    "eager bf16 NHWC": torch_engine(torch.bfloat16, channels_last=True),
    "TorchScript f32": torch_engine(compiled=traced),
    "torch.compile f32 NHWC": torch_engine(channels_last=True, compiled=inductor),
    "torch.compile bf16 NHWC": torch_engine(torch.bfloat16, channels_last=True, compiled=inductor),
    "ONNX Runtime f32": onnx_runtime,
    "OpenVINO f32": open_vino("f32"),
    "OpenVINO bf16": open_vino("bf16"),
}


def roofline():
    """What the machine gives in the best of cases: {name: (run, GFLOP)}."""
    torch.set_grad_enabled(False)
    out = {}
    for dtype, name in [(torch.float32, "f32"), (torch.bfloat16, "bf16")]:
        conv = torch.nn.Conv2d(64, 64, 3, padding=1).to(dtype=dtype, memory_format=torch.channels_last)
        x = torch.randn(64, 64, 28, 28).to(dtype=dtype, memory_format=torch.channels_last)
        out[f"conv3x3x64-{name}"] = (
            lambda conv=conv, x=x: conv(x),
            2 * 9 * 64 * 64 * 28 * 28 * 64 / 1e9,
        )
        a, b = torch.randn(2048, 2048, dtype=dtype), torch.randn(2048, 2048, dtype=dtype)
        out[f"product2048-{name}"] = (lambda a=a, b=b: a @ b, 2 * 2048**3 / 1e9)
    return out


def as_array(out):
    return out.float().numpy() if isinstance(out, torch.Tensor) else np.asarray(out, dtype=np.float32)
