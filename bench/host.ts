/** How busy the machine was with other things during a run: what tells a noisy run from a quiet one. */
export interface Load {
  /** Load averages over a minute, before the run and after it. */
  readonly before: number;
  readonly after: number;
  /** Share of all cores that other processes used, 0 to 1. */
  readonly others: number;
  readonly cores: number;
}

/** What the bench asks of where it runs. node-host.ts and `browserHost` implement it. */
export interface Host {
  /** Stein's version, where it is known. */
  readonly stein?: string;
  /** "Node v24.1.0", or what the browser calls itself. */
  readonly runtime: string;
  /** Operating system and processor. */
  readonly platform: string;
  readonly cores: number;
  /**
   * Milliseconds of processor time that the threads of this process but its main one have had so far: on a software
   * driver the kernels' own work, which other processes delay but do not add to. Undefined where it cannot be read.
   */
  threadsTime(): number | undefined;
  /** Begins to watch how busy the machine is; undefined where that cannot be seen. */
  watchLoad(): (() => Load) | undefined;
}

type Browser = {
  navigator?: {
    userAgent?: string;
    hardwareConcurrency?: number;
    userAgentData?: { platform?: string; brands?: readonly { brand: string; version: string }[] };
  };
};

/** A browser tells its name and the count of cores, neither processor time nor load. */
export function browserHost(): Host {
  const { userAgent = "", hardwareConcurrency = 1, userAgentData } = (globalThis as Browser).navigator ?? {};
  const brand = userAgentData?.brands?.find((b) => !/not.?a.?brand|^chromium$/i.test(b.brand));
  const named = /\b(?:Edg|OPR|Firefox|Chrome|HeadlessChrome|Version)\/[\d.]+/.exec(userAgent)?.[0];
  return {
    runtime: brand ? `${brand.brand} ${brand.version}` : (named?.replace("Version", "Safari") ?? "a browser"),
    platform: userAgentData?.platform || (/\(([^)]*)\)/.exec(userAgent)?.[1] ?? "unknown"),
    cores: hardwareConcurrency,
    threadsTime: () => undefined,
    watchLoad: () => undefined,
  };
}
