import { describe, expect, test } from "vitest";
import { type HostFacts, noAdapter, noBinding, systemDriver } from "../../engine/platform/advice.ts";

// The lines that matter of each distribution's /etc/os-release.
const releases = {
  debian11:
    'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nVERSION_ID="11"\nVERSION_CODENAME=bullseye\nID=debian\n',
  debian12:
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n',
  debian13:
    'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian\n',
  debianSid: 'PRETTY_NAME="Debian GNU/Linux forky/sid"\nVERSION_CODENAME=forky\nID=debian\n',
  ubuntu2004: 'PRETTY_NAME="Ubuntu 20.04.6 LTS"\nVERSION_ID="20.04"\nID=ubuntu\nID_LIKE=debian\n',
  ubuntu2204: 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nVERSION_ID="22.04"\nID=ubuntu\nID_LIKE=debian\n',
  ubuntu2404: 'PRETTY_NAME="Ubuntu 24.04.3 LTS"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n',
  mint: 'PRETTY_NAME="Linux Mint 22"\nVERSION_ID="22"\nID=linuxmint\nID_LIKE="ubuntu debian"\n',
  fedora: 'PRETTY_NAME="Fedora Linux 42 (Container Image)"\nVERSION_ID=42\nID=fedora\n',
  rocky:
    'PRETTY_NAME="Rocky Linux 9.5 (Blue Onyx)"\nVERSION_ID="9.5"\nID="rocky"\nID_LIKE="rhel centos fedora"\n',
  arch: 'PRETTY_NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n',
  alpine: 'PRETTY_NAME="Alpine Linux v3.22"\nVERSION_ID=3.22.1\nID=alpine\n',
  tumbleweed:
    'PRETTY_NAME="openSUSE Tumbleweed"\nVERSION_ID="20251101"\nID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n',
  nixos: 'PRETTY_NAME="NixOS 25.05 (Warbler)"\nVERSION_ID="25.05"\nID=nixos\n',
};
const linux = { platform: "linux", arch: "x64", osRelease: releases.debian13 } satisfies HostFacts;

test("each distribution gets its own line", () => {
  const advice = Object.entries(releases).map(([name, osRelease]) => {
    const { line, note } = systemDriver({ osRelease });
    return [name, line && `  # ${line}`, note && `  (${note})`].filter(Boolean).join("\n");
  });
  expect(advice.join("\n")).toMatchInlineSnapshot(`
    "debian11
      (Debian 11 has no Mesa new enough for Dawn)
    debian12
      # echo 'deb http://deb.debian.org/debian bookworm-backports main' > /etc/apt/sources.list.d/backports.list && apt-get update && apt-get install -y --no-install-recommends -t bookworm-backports mesa-vulkan-drivers
    debian13
      # apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers
    debianSid
      # apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers
    ubuntu2004
      (Ubuntu 20.04 has no Mesa new enough for Dawn)
    ubuntu2204
      # apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers
    ubuntu2404
      # apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers
    mint
      # apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers
      (Dawn refuses Mesa 22.3 (Debian 12's own) and takes 23.2 and later)
    fedora
      # dnf install -y mesa-vulkan-drivers vulkan-loader
    rocky
      # dnf install -y mesa-vulkan-drivers vulkan-loader
    arch
      # pacman -S --needed vulkan-swrast vulkan-icd-loader
    alpine
      (Dawn needs glibc, which Alpine has not; use a Debian image, such as node:22-trixie-slim)
    tumbleweed
      # zypper install -y libvulkan1 libvulkan_lvp
    nixos
      (install the Vulkan loader and Mesa's lavapipe, 23.2 or later, with the package manager)"
  `);
});

describe("Debian 12 gets a line that fits how its package sources are written", () => {
  const lineFor = (aptSources: Record<string, string>) =>
    systemDriver({ osRelease: releases.debian12, aptSources }).line;
  const debianSources = "/etc/apt/sources.list.d/debian.sources";
  const sourcesList = "/etc/apt/sources.list";

  test("deb822, as in container images", () => {
    const text = "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm bookworm-updates\n";
    expect(lineFor({ [debianSources]: text })).toMatchInlineSnapshot(
      `"sed -i 's/^Suites: bookworm bookworm-updates/& bookworm-backports/' /etc/apt/sources.list.d/debian.sources && apt-get update && apt-get install -y --no-install-recommends -t bookworm-backports mesa-vulkan-drivers"`,
    );
  });

  test("sources.list, with the mirror taken from it", () => {
    const text =
      "# deb cdrom:[Debian 12]/ bookworm main\ndeb http://ftp.de.debian.org/debian bookworm main\n";
    expect(lineFor({ [sourcesList]: text })).toMatchInlineSnapshot(
      `"sed -n 's/^deb \\(\\S*\\) bookworm main.*/deb \\1 bookworm-backports main/p' /etc/apt/sources.list > /etc/apt/sources.list.d/backports.list && apt-get update && apt-get install -y --no-install-recommends -t bookworm-backports mesa-vulkan-drivers"`,
    );
  });

  test("backports already among the sources, though not in a comment", () => {
    const text = "Suites: bookworm bookworm-updates bookworm-backports\n";
    expect(lineFor({ [sourcesList]: "", [debianSources]: text })).toMatchInlineSnapshot(
      `"apt-get update && apt-get install -y --no-install-recommends -t bookworm-backports mesa-vulkan-drivers"`,
    );
    const comment = "#deb http://deb.debian.org/debian bookworm-backports main\n";
    expect(lineFor({ [sourcesList]: comment })).toContain("echo 'deb http");
  });
});

describe("the message says what was found and what to type", () => {
  test("nothing installed", () => {
    expect(noAdapter(linux)).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Debian GNU/Linux 13 (trixie) (x64)
        as root: apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers
        without root: npm install --save-dev @sparticuz/chromium@147.0.0 (carries a software driver)"
    `);
  });

  test("Mesa installed, but too old", () => {
    const facts = {
      ...linux,
      osRelease: releases.debian12,
      icdFiles: ["lvp_icd.x86_64.json", "radeon_icd.json"],
    };
    expect(noAdapter(facts)).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Debian GNU/Linux 12 (bookworm) (x64)
        found: Vulkan drivers (lvp_icd.x86_64.json, radeon_icd.json), none accepted: most likely too old; Dawn refuses Mesa 22.3 (Debian 12's own) and takes 23.2 and later
        as root: echo 'deb http://deb.debian.org/debian bookworm-backports main' > /etc/apt/sources.list.d/backports.list && apt-get update && apt-get install -y --no-install-recommends -t bookworm-backports mesa-vulkan-drivers
        without root: npm install --save-dev @sparticuz/chromium@147.0.0 (carries a software driver)"
    `);
  });

  test("drivers for GPUs only", () => {
    expect(noAdapter({ ...linux, icdFiles: ["radeon_icd.json"] })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Debian GNU/Linux 13 (trixie) (x64)
        found: Vulkan drivers (radeon_icd.json), none accepted: they are for GPUs that are not here
        as root: apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers
        without root: npm install --save-dev @sparticuz/chromium@147.0.0 (carries a software driver)"
    `);
  });

  test("an NVIDIA container without the graphics capability", () => {
    expect(noAdapter({ ...linux, osRelease: releases.ubuntu2404, nvidia: true })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Ubuntu 24.04.3 LTS (x64)
        found: an NVIDIA GPU without its Vulkan driver; in a container set NVIDIA_DRIVER_CAPABILITIES=all
        as root: apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers
        without root: npm install --save-dev @sparticuz/chromium@147.0.0 (carries a software driver)"
    `);
  });

  test("a variable that points nowhere: only that was tried", () => {
    const facts = { ...linux, variables: ["VK_ICD_FILENAMES=/nonexistent"], icdFiles: ["lvp_icd.json"] };
    expect(noAdapter({ ...facts, embeddedInstalled: true })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Debian GNU/Linux 13 (trixie) (x64)
        found: VK_ICD_FILENAMES=/nonexistent is set and leads to no adapter; unset it or mend it
        without root: export STEIN_DRIVER=embedded"
    `);
  });

  test("STEIN_DRIVER=system, with and without the package", () => {
    expect(noAdapter({ ...linux, choice: "system" })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Debian GNU/Linux 13 (trixie) (x64)
        as root: apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers
        without root: npm install --save-dev @sparticuz/chromium@147.0.0 (carries a software driver), and leave STEIN_DRIVER unset"
    `);
    expect(noAdapter({ ...linux, choice: "system", embeddedInstalled: true })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Debian GNU/Linux 13 (trixie) (x64)
        as root: apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers
        without root: export STEIN_DRIVER=embedded"
    `);
  });

  test("STEIN_DRIVER=embedded, not installed, refused, and on arm64", () => {
    expect(noAdapter({ ...linux, choice: "embedded" })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Debian GNU/Linux 13 (trixie) (x64)
        without root: npm install --save-dev @sparticuz/chromium@147.0.0 (carries a software driver)"
    `);
    expect(
      noAdapter({
        ...linux,
        choice: "embedded",
        embeddedInstalled: true,
        embeddedFailure: "Dawn does not accept it",
      }),
    ).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Debian GNU/Linux 13 (trixie) (x64)
        found: embedded driver not usable: Dawn does not accept it"
    `);
    expect(noAdapter({ ...linux, arch: "arm64", choice: "embedded" })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Debian GNU/Linux 13 (trixie) (arm64)
        note: the embedded driver is for Linux x64 only"
    `);
  });

  test("arm64 is not sent to the embedded driver", () => {
    expect(noAdapter({ ...linux, arch: "arm64" })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on Debian GNU/Linux 13 (trixie) (arm64)
        as root: apt-get update && apt-get install -y --no-install-recommends mesa-vulkan-drivers"
    `);
  });

  test("Linux without os-release", () => {
    expect(noAdapter({ platform: "linux", arch: "x64" })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on linux (x64)
        note: install the Vulkan loader and Mesa's lavapipe, 23.2 or later, with the package manager
        without root: npm install --save-dev @sparticuz/chromium@147.0.0 (carries a software driver)"
    `);
  });

  test("macOS and Windows need nothing installed", () => {
    expect(noAdapter({ platform: "darwin", arch: "arm64" })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on darwin (arm64)
        check: macOS brings Metal; a virtual machine without graphics acceleration, or a session without it, has no adapter"
    `);
    expect(noAdapter({ platform: "win32", arch: "x64" })).toMatchInlineSnapshot(`
      "openGpu: no GPU adapter on win32 (x64)
        check: Windows 10 and later bring Direct3D 12; update the graphics driver, and see with dxdiag that feature level 11_0 or higher is listed"
    `);
  });

  test("a binding that does not load", () => {
    const reason = "Error loading shared library ld-linux-x86-64.so.2";
    expect(noBinding({ ...linux, osRelease: releases.alpine }, reason)).toMatchInlineSnapshot(`
      "openGpu: the package webgpu does not load on linux (x64); Dawn needs glibc, which Alpine has not; use a Debian image, such as node:22-trixie-slim
        found: Error loading shared library ld-linux-x86-64.so.2"
    `);
    expect(noBinding({ platform: "freebsd", arch: "x64" }, "Cannot find module")).toMatchInlineSnapshot(`
      "openGpu: the package webgpu does not load on freebsd (x64); it runs on Linux with glibc (x64, arm64), macOS and Windows (x64, arm64); run npm ci again
        found: Cannot find module"
    `);
  });
});
