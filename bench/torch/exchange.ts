import type { Engine } from "../../engine/engine.ts";
import { type WritableEntry, writeSafetensors } from "../../engine/safetensors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Subject } from "./network.ts";
import { SNR } from "./sampling-step.ts";
import type { Work } from "./work.ts";

/**
 * The file that PyTorch's side reads: `param.*` under the official names, `in.x`, `in.labels` (sigma), `out.output`,
 * `out.half` where the adapter stores f16, `noise.000` and `noise.001` with `out.step`, x a sampling step later; in the
 * metadata `case`, the configuration under score_sde's names.
 */
export async function exchangeFile(
  engine: Engine,
  subject: Subject,
  work: Work,
): Promise<Uint8Array<ArrayBuffer>> {
  const tensors = new Map<string, WritableEntry>();
  for (const [name, entry] of await subject.network.state()) tensors.set(`param.${name}`, entry);
  const put = async (name: string, t: Tensor) =>
    tensors.set(name, { shape: t.shape, data: (await t.data()) as Float32Array });
  const putNew = async (name: string, t: Tensor) => {
    await put(name, t);
    t.dispose();
  };
  await put("in.x", work.x);
  await put("in.labels", work.sigma);
  await putNew("out.output", work.output("f32"));
  if (engine.device.features.has("shader-f16")) await putNew("out.half", work.output("f16"));
  for (const [i, z] of work.step.draws(work.x).entries()) await putNew(`noise.00${i}`, z);
  await put("out.step", work.stepped());
  return writeSafetensors(tensors, {
    case: JSON.stringify({ config: officialConfig(subject), step: { t: work.step.t, snr: SNR } }),
  });
}

/** The configuration under the names of score_sde. */
function officialConfig({ config: { model, sde, data }, channels, size }: Subject): Record<string, unknown> {
  const { sigmaMin, sigmaMax } = sde as Extract<typeof sde, { name: "ve" }>;
  return {
    nf: model.nf,
    size,
    channels,
    ch_mult: model.chMult,
    num_res_blocks: model.numResBlocks,
    attn: model.attnResolutions,
    conditional: model.conditional,
    fir: model.fir,
    fir_kernel: model.firKernel,
    skip_rescale: model.skipRescale,
    resblock_type: model.resblockType,
    progressive: model.progressive,
    progressive_input: model.progressiveInput,
    progressive_combine: model.progressiveCombine,
    embedding_type: model.embeddingType,
    scale_by_sigma: model.scaleBySigma,
    nonlinearity: model.act,
    centered: data.centered,
    sigma_min: sigmaMin,
    sigma_max: sigmaMax,
    num_scales: sde.numScales,
  };
}
