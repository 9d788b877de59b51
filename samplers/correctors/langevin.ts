import { type Corrector, kept } from "./corrector.ts";

/** e = 2 (snr |z| / |score|)^2 alpha, norms as means over the batch. Song et al. 2021, algorithms 4 and 5. */
export const langevin: Corrector = {
  stepSize: (sde, t, snr) => 2 * snr ** 2 * kept(sde, t),
  unit: "norms",
};
