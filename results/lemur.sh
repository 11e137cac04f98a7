#!/usr/bin/env bash
# Score curve methods in random pools of 17 real 50-epoch curves, per dataset: with no history, with
# finished curves on the other datasets, and with those of other models on the same dataset.
# `combined` never has hyperparameters learned from the dataset it is scored on.
# Three hours of two cores, half of it for `lc` and `bgrn`.
# Usage: lemur.sh CURVES.jsonl.gz FOLDER; writes FOLDER/lemur-DATASET-HISTORY.json
set -euo pipefail
curves=$(realpath "$1") folder=$(realpath "$2")
score() { # dataset, name, pools, then options
  local dataset=$1 name=$2 pools=$3
  shift 3
  ncselect compare --curves "$curves" --dataset "$dataset" --epochs 5,10 --pools "$pools" \
    --workers 2 --format json --method last-value --method best-value "$@" \
    | python -m json.tool --compact > "$folder/lemur-$dataset-$name.json"
}
for dataset in cifar-10 mnist celeba-gender; do
  python -m bench.learn_curve_prior "$curves" --without "$dataset" \
    --output "$folder/without-$dataset.json"
done
cd "$folder" # so that the results name the hyperparameters by their file alone
for dataset in cifar-10 mnist celeba-gender; do
  combined=(--method "combined:hyperparameters=without-$dataset.json")
  score "$dataset" no-history 1000 --method window-mean --method inverse-epoch "${combined[@]}"
  for origin in other-datasets same-dataset; do
    score "$dataset" "$origin" 1000 --history "$curves" --history-from "$origin" --method cl \
      "${combined[@]}"
    score "$dataset" "$origin-bgrn" 1000 --history "$curves" --history-from "$origin" --method bgrn
  done
  score "$dataset" lc 1000 --method lc
done
