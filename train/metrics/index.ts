export { type MmdOptions, mmdSquared } from "./mmd.ts";
export { type NoisyAccuracy, type NoisyAccuracyOptions, noisyAccuracy } from "./noisy-accuracy.ts";
export { type SampleQuality, type SampleQualityOptions, sampleQuality } from "./sample-quality.ts";
export { type SlicedWassersteinOptions, slicedWasserstein } from "./sliced-wasserstein.ts";
