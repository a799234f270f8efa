#!/usr/bin/env python3
"""Fetches NVIDIA's libnvbufsurface of DeepStream 9, and what it links to, from PyPI into .cache/nvbufsurface at the root of
the project, and prints the folder. Both are NVIDIA's and never committed. Exit code 3: PyPI could not be reached."""
import glob
import os
import platform
import subprocess
import sys
import zipfile

WHEELS = ["nvidia-deepstream-videodecode-cu13==9.0.2", "nvidia-cuda-runtime==13.0.88"]
WANTED = ("/libnvbufsurface.so", "/libnvbuf_fdmap.so", "/libcudart.so.13")
CACHE = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../../.cache/nvbufsurface"))

if platform.machine() != "x86_64":
    sys.exit(3)
if len(glob.glob(os.path.join(CACHE, "*.so*"))) < len(WANTED):
    os.makedirs(CACHE, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
    pip += ["--no-cache-dir", "--only-binary=:all:", "-d", CACHE] + WHEELS
    if subprocess.run(pip, stdout=sys.stderr).returncode != 0:
        sys.exit(3)
    for wheel in glob.glob(os.path.join(CACHE, "*.whl")):
        with zipfile.ZipFile(wheel) as z:
            for name in z.namelist():
                if name.endswith(WANTED):
                    with open(os.path.join(CACHE, os.path.basename(name)), "wb") as f:
                        f.write(z.read(name))
        os.remove(wheel)
print(CACHE)
