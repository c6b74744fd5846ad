#!/bin/sh
# The locks of the image: what runs in it, and what builds our wheel; the same versions as requirements.lock, with hashes.
set -eu
cd "$(dirname "$0")/../.."

compile() {
  output=$1
  shift
  .venv/bin/uv pip compile "$@" --constraint requirements.lock --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header --quiet --output-file "$output"
}

compile deploy/docker/requirements.runtime.lock pyproject.toml deploy/docker/requirements.mailbox.in
compile deploy/docker/requirements.build.lock deploy/docker/requirements.build.in
