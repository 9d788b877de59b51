"""
NCSN++ in PyTorch beside Stein: holds its output to Stein's, then times a call of the network and a sampling step.

    npx tsx bench/torch/step.ts FOLDER     writes FOLDER/exchange.safetensors and FOLDER/stein.json
    python3 bench/torch/step.py FOLDER     reads both, writes FOLDER/torch.json

Needs torch, safetensors and numpy. See docs/gpu-torch.md.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import time

import exchange
import sampler
import torch

# Relative L2 error against float64 that rounding to float32 explains, and the network's in f16.
F32_BOUND = 1e-4
F16_BOUND = 2e-2


def main():
    parser = argparse.ArgumentParser(description="NCSN++ in PyTorch beside Stein: agreement, then times.")
    parser.add_argument("folder", help="where bench/torch/step.ts wrote exchange.safetensors")
    parser.add_argument("--rounds", type=int, default=20, help="timed rounds of each row (20)")
    parser.add_argument("--warm-ups", type=int, default=3, help="rounds before them (3)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args()
    if options.rounds < 1 or options.warm_ups < 0:
        raise SystemExit(f"step: got --rounds {options.rounds} --warm-ups {options.warm_ups}, expected at least 1 and 0")

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(1)
    tensors, case = exchange.read(os.path.join(options.folder, "exchange.safetensors"))
    device = torch.device(options.device)
    cuda = device.type == "cuda"
    net = exchange.network(tensors, case["config"]).to(device)
    inputs = {name: t.to(device) for name, t in tensors.items() if not name.startswith("param.")}

    with torch.no_grad():
        agreement = compare(net, inputs, case, cuda)
        for row in agreement:
            print(f"{row['what']:<58} {row['error']:.2e}  bound {row['bound']:.0e}  {'ok' if row['ok'] else 'WRONG'}")
        if not all(row["ok"] for row in agreement):
            raise SystemExit("step: the outputs differ: times would not be of the same work")
        rows = [] if options.check else measure(net, inputs, case, cuda, options)

    x = tensors["in.x"]
    record = {
        "kind": "torch",
        "adapter": torch.cuda.get_device_name(device) if cuda else platform.processor() or "cpu",
        "torch": torch.__version__,
        "cuda": torch.version.cuda if cuda else None,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "batch": x.shape[0],
        "parameters": sum(p.numel() for name, p in net.named_parameters() if name != "all_modules.0.W"),
        "rounds": options.rounds,
        "agreement": agreement,
        "rows": rows,
    }
    write(os.path.join(options.folder, "torch.json"), record)
    if rows:
        print_table(record, read_json(os.path.join(options.folder, "stein.json")))


def compare(net, inputs, case, cuda):
    """Both sides against this network in float64 on two samples, then against each other on all."""
    x, sigma, theirs = inputs["in.x"], inputs["in.labels"], inputs["out.output"]
    few = [0, x.shape[0] // 2]
    truth = net.double()(x[few].double(), sigma[few].double())
    ours = net.float()(x, sigma)

    def apart(got, wanted):
        """Of sigma times the score, or the samples of the least noise, whose score is largest, would count alone."""
        scale = sigma if got.shape == x.shape else sigma[few]
        return exchange.relative(scale[:, None, None, None] * got, scale[:, None, None, None] * wanted)

    rows = [
        judged("network, PyTorch f32 to float64", apart(ours[few], truth), F32_BOUND),
        judged("network, Stein f32 to float64", apart(theirs[few], truth), F32_BOUND),
        judged("network, Stein f32 to PyTorch f32, whole batch", apart(theirs, ours), F32_BOUND),
    ]
    if "out.step" in inputs:
        t = case["step"]["t"]
        draws = iter([inputs["noise.000"], inputs["noise.001"]])
        sigmas = torch.full_like(sigma, sampler.sigma_at(t, case["config"]))
        diffusion = sampler.diffusion_at(t, case["config"])
        after = sampler.step(net, x, sigmas, diffusion, case["step"]["snr"], lambda _: next(draws))
        # What a step changes, for x itself would hide any error in it.
        moved = exchange.relative(inputs["out.step"] - x, (after - x))
        rows.append(judged("sampling step, Stein f32 to PyTorch f32, the change of x", moved, F32_BOUND))
    if "out.half" in inputs:
        rows.append(judged("network, Stein f16 to float64", apart(inputs["out.half"][few], truth), F16_BOUND))
    if cuda:
        with torch.autocast("cuda", dtype=torch.float16):
            half = net(x[few], sigma[few])
        rows.append(judged("network, PyTorch autocast f16 to float64", apart(half, truth), F16_BOUND))
    return rows


def judged(what, error, bound):
    return {"what": what, "error": error, "bound": bound, "ok": bool(error <= bound)}  # a NaN is not


def measure(net, inputs, case, cuda, options):
    """Each way of running the network, eager: f32 without TF32, and for information autocast to f16."""
    t, snr, config = case["step"]["t"], case["step"]["snr"], case["config"]
    diffusion = sampler.diffusion_at(t, config)
    layouts = [(False, False), (False, True), (True, True)]  # channels last, cudnn.benchmark
    ways = [(half, *layout) for half in (False, True) for layout in layouts] if cuda else [(False, False, False), (False, True, False)]
    rows = []
    for half, channels_last, benchmark in ways:
        torch.backends.cudnn.benchmark = benchmark
        layout = torch.channels_last if channels_last else torch.contiguous_format
        net.to(memory_format=layout)
        x = inputs["in.x"].contiguous(memory_format=layout)
        sigma = torch.full_like(inputs["in.labels"], sampler.sigma_at(t, config))
        cast = torch.autocast("cuda", dtype=torch.float16) if half else contextlib.nullcontext()
        state = {"x": x}

        def score(x, sigma, cast=cast):
            with cast:
                return net(x, sigma)

        def step(state=state, sigma=sigma, score=score):
            state["x"] = sampler.step(score, state["x"], sigma, diffusion, snr)

        with torch.inference_mode():
            network_times = timed(lambda x=x, sigma=sigma, score=score: score(x, sigma), cuda, options)
            step_times = timed(step, cuda, options)
        if not torch.isfinite(state["x"]).all():
            raise SystemExit("step: the chain did not stay finite")
        rows.append(
            {
                "name": "autocast f16" if half else "f32",
                "channelsLast": channels_last,
                "cudnnBenchmark": benchmark,
                "allowTf32": torch.backends.cudnn.allow_tf32,
                "network": network_times,
                "step": step_times,
            }
        )
        progress(rows[-1])
    return rows


def timed(run, cuda, options):
    """Milliseconds of a run over the rounds: by CUDA events around it, and by the clock with a wait at its end."""
    events, clock = [], []
    wait = torch.cuda.synchronize if cuda else lambda: None
    for turn in range(options.warm_ups + options.rounds):
        wait()
        if cuda:
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
        start = time.perf_counter()
        run()
        if cuda:
            end.record()
        wait()
        if turn < options.warm_ups:
            continue
        clock.append(1000 * (time.perf_counter() - start))
        if cuda:
            events.append(begin.elapsed_time(end))
    return {"wall": spread(clock), **({"gpu": spread(events)} if cuda else {})}


def spread(values):
    ordered = sorted(values)

    def quantile(q):
        at = q * (len(ordered) - 1)
        low = int(at)
        return ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])

    return {"median": quantile(0.5), "lower": quantile(0.25), "upper": quantile(0.75), "best": ordered[0]}


def way(row):
    parts = [row["name"], "channels last" if row["channelsLast"] else "", "cudnn.benchmark" if row["cudnnBenchmark"] else ""]
    return ", ".join(part for part in parts if part)


def steadiest(times):
    return times.get("gpu", times["wall"])["median"]


def progress(row):
    line = f"{way(row)}: network {steadiest(row['network']):.2f} ms, step {steadiest(row['step']):.2f} ms"
    print(line, file=sys.stderr, flush=True)


def print_table(record, stein):
    """Steps side by side; the last column says how many times as long as Stein's in f32 each takes."""
    rows = [("PyTorch " + way(row), row) for row in record["rows"]]
    if stein and all(stein[key] == record[key] for key in ("batch", "parameters")):
        rows = [("Stein " + row["name"], row) for row in stein["rows"]] + rows
    ours = next((row for name, row in rows if name == "Stein f32"), None)
    print(f"\n{record['adapter']}, batch {record['batch']}, PyTorch {record['torch']}; ms, medians and middle halves")
    print(f"{'':<46}{'network':>9}{'step':>9}{'middle half':>19}{'wall':>9}{'to Stein f32':>14}")
    for name, row in rows:
        times = row["step"].get("gpu", row["step"]["wall"])
        ratio = f"{times['median'] / steadiest(ours['step']):.2f}" if ours else ""
        half = f"{times['lower']:.2f} - {times['upper']:.2f}"
        wall = row["step"]["wall"]["median"]
        print(f"{name:<46}{steadiest(row['network']):>9.2f}{times['median']:>9.2f}{half:>19}{wall:>9.2f}{ratio:>14}")


def read_json(path):
    try:
        with open(path, encoding="utf8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def write(path, record):
    with open(path + ".tmp", "w", encoding="utf8") as file:
        json.dump(record, file, indent=2)
        file.write("\n")
    os.replace(path + ".tmp", path)


main()
