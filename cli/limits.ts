/** What no run comes near and a slip of the hand goes far beyond: told before memory and hours are spent. */
export const most = {
  steps: 1_000_000,
  scales: 10_000,
  batch: 1_000_000,
  benched: 10_000,
  side: 4096,
  crop: 65_536,
};
