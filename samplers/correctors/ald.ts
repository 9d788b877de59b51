import { type Corrector, kept } from "./corrector.ts";

/** Annealed Langevin dynamics, e = 2 (snr std(t))^2 alpha: Song & Ermon 2019 in the terms of the SDE. */
export const ald: Corrector = {
  stepSize: (sde, t, snr) => 2 * (snr * sde.marginalAt(t).std) ** 2 * kept(sde, t),
  unit: "one",
};
