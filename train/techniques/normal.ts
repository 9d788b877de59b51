/** The density of the standard normal distribution. */
export const normalDensity = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** Beyond this the tail's continued fraction is quicker than the series, and keeps its relative accuracy. */
const FAR = 2;

/**
 * The probability that a standard normal number exceeds x, accurate to a few units in the last place: for large x by
 * Laplace's continued fraction, else by Marsaglia's series (2004, "Evaluating the normal distribution").
 */
export function normalTail(x: number): number {
  if (x < -FAR) return 1 - normalTail(-x);
  return x > FAR ? normalDensity(x) * millsRatio(x) : 0.5 - normalDensity(x) * oddSeries(x);
}

/** The probability that a standard normal number is at most x: Phi. */
export const normalCdf = (x: number): number => normalTail(-x);

/** Phi(b) - Phi(a) for a <= b, without cancellation where both lie in one tail. */
export const normalBetween = (a: number, b: number): number =>
  a > 0 ? normalTail(a) - normalTail(b) : normalCdf(b) - normalCdf(a);

/** (1 - Phi(x)) / density(x) = 1 / (x + 1 / (x + 2 / (x + 3 / ...))). */
function millsRatio(x: number): number {
  let rest = x;
  for (let k = 200; k > 0; k--) rest = x + k / rest; // x = 2 takes 150 terms
  return 1 / rest;
}

/** x + x^3 / 3 + x^5 / (3 5) + ... */
function oddSeries(x: number): number {
  let [term, sum] = [x, x];
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return sum;
}
