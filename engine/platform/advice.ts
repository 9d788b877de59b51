/**
 * What to tell someone whose machine shows Dawn no adapter: what was found, and the line to type.
 * Pure: node.ts gathers the facts, so every distribution can be tested on any machine.
 */
export interface HostFacts {
  /** As process.platform and process.arch. */
  platform: string;
  arch: string;
  /** Text of /etc/os-release. */
  osRelease?: string;
  /** Texts of apt's lists of sources, by path; one-line style (*.list) and deb822 (*.sources). */
  aptSources?: Readonly<Record<string, string>>;
  /** Names of the Vulkan driver manifests installed. */
  icdFiles?: readonly string[];
  /** NVIDIA's kernel driver answers on this machine. */
  nvidia?: boolean;
  /** Variables of the user's that decide what Dawn may see, as NAME=value. */
  variables?: readonly string[];
  /** STEIN_DRIVER. */
  choice?: "auto" | "system" | "embedded";
  /** The package that carries the embedded driver can be resolved. */
  embeddedInstalled?: boolean;
  /** Why the embedded driver, tried, did not come up. */
  embeddedFailure?: string;
}

/** The npm package, and the last version that npm on Node 20 does not skip, that carries SwiftShader and a loader. */
export const embeddedPackage = "@sparticuz/chromium";
const embeddedInstall = `npm install --save-dev ${embeddedPackage}@147.0.0`;

/** Of Mesa, whose lavapipe is the software driver of every distribution. */
const tooOld = "Dawn refuses Mesa 22.3 (Debian 12's own) and takes 23.2 and later";

/** The message of the DeviceError: first what is wrong, then a line each for what was found and what to type. */
export function noAdapter(facts: HostFacts): string {
  const { platform, arch } = facts;
  const name = platform === "linux" ? parseOsRelease(facts.osRelease).PRETTY_NAME : undefined;
  const lines = [`openGpu: no GPU adapter on ${name ?? platform} (${arch})`];

  for (const variable of facts.variables ?? []) {
    if (facts.choice === "embedded" && variable.startsWith("VK_")) continue; // was overruled
    lines.push(`  found: ${variable} is set and leads to no adapter; unset it or mend it`);
  }
  if (platform === "linux") lines.push(...linuxLines(facts));
  else lines.push(`  check: ${elsewhere(platform)}`);
  return lines.join("\n");
}

function linuxLines(facts: HostFacts): string[] {
  const { icdFiles = [], nvidia, choice = "auto", embeddedFailure } = facts;
  if (facts.variables?.length && choice !== "embedded") return embeddedLines(facts); // nothing else was tried
  const lines: string[] = [];

  if (icdFiles.length > 0 && choice !== "embedded") {
    const software = icdFiles.some((file) => /^(lvp|lavapipe|swrast)/.test(file));
    const why = software ? `most likely too old; ${tooOld}` : "they are for GPUs that are not here";
    lines.push(`  found: Vulkan drivers (${icdFiles.join(", ")}), none accepted: ${why}`);
  }
  if (nvidia && !icdFiles.some((file) => file.includes("nvidia"))) {
    lines.push(
      "  found: an NVIDIA GPU without its Vulkan driver; in a container set NVIDIA_DRIVER_CAPABILITIES=all",
    );
  }
  if (embeddedFailure !== undefined) lines.push(`  found: embedded driver not usable: ${embeddedFailure}`);

  if (choice !== "embedded") {
    const { line, note } = systemDriver(facts);
    if (line !== undefined) lines.push(`  as root: ${line}`);
    if (note !== undefined) lines.push(`  note: ${note}`);
  }
  lines.push(...embeddedLines(facts));
  return lines;
}

function embeddedLines({ osRelease, arch, choice, embeddedInstalled, embeddedFailure }: HostFacts): string[] {
  if (isMusl(osRelease)) return [];
  if (arch !== "x64")
    return choice === "embedded" ? ["  note: the embedded driver is for Linux x64 only"] : [];
  if (embeddedFailure !== undefined) return [];
  if (!embeddedInstalled) {
    const unset = choice === "system" ? ", and leave STEIN_DRIVER unset" : "";
    return [`  without root: ${embeddedInstall} (carries a software driver)${unset}`];
  }
  return ["  without root: export STEIN_DRIVER=embedded"]; // installed, but passed over by choice or by variable
}

/** The line that installs a software driver new enough for Dawn, typed as root, and what else to know. */
export function systemDriver(facts: Pick<HostFacts, "osRelease" | "aptSources">): {
  line?: string;
  note?: string;
} {
  const release = parseOsRelease(facts.osRelease);
  const version = Number.parseFloat(release.VERSION_ID ?? "");
  const family = [release.ID, ...(release.ID_LIKE ?? "").split(" ")];
  const apt = "apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers";

  if (release.ID === "debian") {
    if (version < 12) return { note: `Debian ${version} has no Mesa new enough for Dawn` };
    return { line: version === 12 ? debian12(facts.aptSources ?? {}) : apt };
  }
  if (release.ID === "ubuntu") {
    if (version < 22.04) return { note: `Ubuntu ${release.VERSION_ID} has no Mesa new enough for Dawn` };
    return { line: apt };
  }
  for (const name of family) {
    switch (name) {
      case "ubuntu":
      case "debian":
        return { line: apt, note: tooOld };
      case "fedora":
      case "rhel":
      case "centos":
        return { line: "dnf install -y mesa-vulkan-drivers vulkan-loader" };
      case "arch":
        return { line: "pacman -S --needed vulkan-swrast vulkan-icd-loader" };
      case "opensuse":
      case "suse":
        return { line: "zypper install -y libvulkan1 libvulkan_lvp" };
      case "alpine":
        return {
          note: "Dawn needs glibc, which Alpine has not; use a Debian image, such as node:22-trixie-slim",
        };
    }
  }
  return { note: "install the Vulkan loader and Mesa's lavapipe, 23.2 or later, with the package manager" };
}

/** Debian 12 has a new enough Mesa in backports; the line fits the style its sources are written in. */
function debian12(aptSources: Readonly<Record<string, string>>): string {
  const install =
    "apt-get update && apt-get install -y --no-install-recommends -t bookworm-backports mesa-vulkan-drivers";
  const pathWith = (pattern: RegExp) =>
    Object.keys(aptSources).find((path) => pattern.test(aptSources[path]!));
  if (pathWith(/^[^#\n]*\bbookworm-backports\b/m) !== undefined) return install;

  const deb822 = pathWith(/^Suites: bookworm bookworm-updates/m);
  if (deb822 !== undefined) {
    return `sed -i 's/^Suites: bookworm bookworm-updates/& bookworm-backports/' ${deb822} && ${install}`;
  }
  const backports = "/etc/apt/sources.list.d/backports.list";
  const list = pathWith(/^deb \S+ bookworm main/m);
  if (list !== undefined) {
    const copy = "sed -n 's/^deb \\(\\S*\\) bookworm main.*/deb \\1 bookworm-backports main/p'";
    return `${copy} ${list} > ${backports} && ${install}`;
  }
  return `echo 'deb http://deb.debian.org/debian bookworm-backports main' > ${backports} && ${install}`;
}

/** What can be wrong where the system brings its own driver. */
function elsewhere(platform: string): string {
  if (platform === "darwin") {
    return "macOS brings Metal; a virtual machine without graphics acceleration, or a session without it, has no adapter";
  }
  if (platform === "win32") {
    return "Windows 10 and later bring Direct3D 12; update the graphics driver, and see with dxdiag that feature level 11_0 or higher is listed";
  }
  return "Dawn runs on Linux, macOS and Windows";
}

/** The message when the package `webgpu` itself does not load. */
export function noBinding({ platform, arch, osRelease }: HostFacts, reason: string): string {
  const mend = isMusl(osRelease)
    ? systemDriver({ osRelease }).note
    : "it runs on Linux with glibc (x64, arm64), macOS and Windows (x64, arm64); run npm ci again";
  return `openGpu: the package webgpu does not load on ${platform} (${arch}); ${mend}\n  found: ${reason}`;
}

const isMusl = (osRelease?: string) => parseOsRelease(osRelease).ID === "alpine";

/** NAME=value lines, quotes taken off. */
function parseOsRelease(text = ""): Record<string, string | undefined> {
  const pairs = [...text.matchAll(/^([A-Z_]+)=(?:"([^"\n]*)"|'([^'\n]*)'|([^\n]*))\s*$/gm)];
  return Object.fromEntries(
    pairs.map(([, name, ...values]) => [name, values.find((value) => value !== undefined)]),
  );
}
