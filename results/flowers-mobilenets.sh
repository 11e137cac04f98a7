#!/usr/bin/env bash
# Score every method, and capacitance under every definition that is not zero, on a store of runs.
set -euo pipefail
methods=(capacitance last-value best-value window-mean training-loss training-error residual
  inverse-epoch permuted-beta random-input)
for definition in base/held/absolute base/held/entrywise base/exact/signed base/exact/absolute \
  norm/exact/signed norm/exact/absolute kernels/held/entrywise; do
  methods+=("capacitance:definition=$definition")
done
ncselect compare --store "$1" --epochs 5,8,10 --reference best-value --reference last-value \
  --reference permuted-beta "${methods[@]/#/--method=}" --format json | python -m json.tool --compact
