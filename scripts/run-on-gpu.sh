#!/usr/bin/env bash
# Unpacks what scripts/gpu-pack.mjs packed, finds the GPU, and runs the command given, in the folder above the pack:
#   .gpu/run-on-gpu.sh node bin/stein.js bench
# STEIN_ALLOW_SOFTWARE=1 takes a software driver too, to try the pack without a GPU.
set -euo pipefail
pack=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$pack/.."
PATH="$PATH:/usr/sbin:/sbin"
say() { echo "run-on-gpu: $*" >&2; }
[ $# -gt 0 ] || { say "got no command, expected one: .gpu/run-on-gpu.sh node bin/stein.js bench"; exit 2; }

unxz_() { # some images have no xz, but a Python
  if command -v xz >/dev/null; then xz -dc -T0 "$1"
  else python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer, 1 << 20)' "$1"; fi
}

open_deb() {
  if command -v dpkg >/dev/null; then dpkg -x "$1" "$2"
  else
    local work; work=$(mktemp -d)
    (cd "$work" && ar x "$1")
    if [ -e "$work/data.tar.xz" ]; then unxz_ "$work/data.tar.xz" | tar -xf - -C "$2"
    else tar -xf "$work"/data.tar.* -C "$2"; fi
    rm -r "$work"
  fi
}

home="$pack/unpacked"
if [ ! -e "$home/complete" ]; then
  rm -rf "$home"
  mkdir -p "$home/bin" "$home/root" "$home/lib"
  unxz_ "$pack/node.xz" >"$home/bin/node" & node=$!
  unxz_ "$pack/modules.tar.xz" | tar -xf - & modules=$!
  for deb in "$pack"/debs/*.deb; do [ ! -e "$deb" ] || open_deb "$deb" "$home/root"; done
  # Only what the machine lacks, in a folder of our own: nothing of the system is replaced.
  { ldconfig -p 2>/dev/null || true; } >"$home/known"
  for library in "$home"/root/usr/lib/x86_64-linux-gnu/*.so.* "$home"/root/lib/x86_64-linux-gnu/*.so.* "$pack"/debs/*.so.*; do
    [ -e "$library" ] || continue
    grep -qF "$(basename "$library") " "$home/known" || ln -sf "$library" "$home/lib/"
  done
  wait $node; wait $modules
  chmod +x "$home/bin/node"
  touch "$home/complete"
fi
export PATH="$home/bin:$PWD/node_modules/.bin:$PATH"
libraries="$home/lib"
for folder in /usr/local/nvidia/lib64 /usr/local/nvidia/lib; do [ ! -d $folder ] || libraries="$libraries:$folder"; done
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$libraries"
node --version >/dev/null || { say "the packed Node does not start here: it wants glibc and libstdc++.so.6"; exit 1; }

report="$home/doctor.json"
gpu() { # with the variables as they are: is there an adapter, and is it no software?
  node bin/stein.js doctor --json >"$report" 2>"$home/doctor.err" || return 1
  [ -z "${STEIN_ALLOW_SOFTWARE:-}" ] || return 0
  node -e 'const found = JSON.parse(require("fs").readFileSync(process.argv[1])); process.exit((found.driver ?? found.adapter).software === false ? 0 : 1)' "$report"
}

# A driver the caller names, or the loader finds, comes first; then the files where NVIDIA's container tools put them;
# then its libraries without a file: the one for EGL needs no X11.
written() { printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' "$1" >"$home/$1.json"; echo "$home/$1.json"; }
found=
if gpu; then found=yes
elif [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]; then
  egl=/usr/local/nvidia/share/glvnd/egl_vendor.d/10_nvidia.json
  [ ! -e $egl ] || export __EGL_VENDOR_LIBRARY_FILENAMES=$egl
  for driver in /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json /usr/share/vulkan/icd.d/nvidia_icd.json /etc/vulkan/icd.d/nvidia_icd.json \
    "$(written libGLX_nvidia.so.0)" "$(written libEGL_nvidia.so.0)"; do
    [ -e "$driver" ] || continue
    export VK_DRIVER_FILES=$driver VK_ICD_FILENAMES=$driver
    if gpu; then found=yes; say "driver: $driver"; break; fi
  done
fi
if [ -z "$found" ]; then
  say "no GPU: docs/gpu.md tells what it needs. The last try:"
  cat "$home/doctor.err" "$report" >&2
  ls -l /dev/nvidia* /usr/share/vulkan/icd.d /etc/vulkan/icd.d /usr/local/nvidia/share/vulkan/icd.d >&2 2>/dev/null || true
  { ldconfig -p | grep -iE 'vulkan|nvidia|libEGL|libGLX'; } >&2 || true
  exit 1
fi
say "$(node -e 'const found = JSON.parse(require("fs").readFileSync(process.argv[1])); console.log(JSON.stringify(found.driver ?? found.adapter))' "$report")"
exec "$@"
