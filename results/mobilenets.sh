#!/usr/bin/env bash
# Score every method that applies on a store of finished runs with features: first without any
# history, `combined` with hyperparameters learned from other datasets; then `cl` and `bgrn` with the
# other candidates' finished curves.
# Usage: mobilenets.sh STORE HYPERPARAMETERS.json NAME; writes NAME.csv and NAME-leave-one-out.csv
set -euo pipefail
store=$(realpath "$1") target=$(realpath "$3")
methods=(last-value best-value window-mean capacitance training-loss residual inverse-epoch
  permuted-beta random-input lc parameters knn linear-head n-leep logme h-score gbc transrate)
cd "$(dirname "$2")" # so that the results name the hyperparameters by their file alone
ncselect compare --store "$store" --epochs 0,1,3,5,10 --reference best-value --format csv \
  --method "combined:hyperparameters=$(basename "$2")" "${methods[@]/#/--method=}" > "$target.csv"
ncselect compare --store "$store" --epochs 1,3,5,10 --reference best-value --format csv \
  --leave-one-out --method cl --method bgrn > "$target-leave-one-out.csv"
