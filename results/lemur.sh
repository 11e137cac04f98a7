#!/usr/bin/env bash
# Score every curve method in random pools of real 50-epoch curves: per dataset with no history,
# with finished curves on the other datasets, and with those of other models on the same dataset.
# Usage: lemur.sh CURVES.jsonl.gz FOLDER [POOLS]; writes FOLDER/lemur-DATASET-HISTORY.json
set -euo pipefail
curves=$1 folder=$2 pools=${3:-1000}
plain=(last-value best-value window-mean)
learning=(combined cl bgrn)
score() {
  local dataset=$1 name=$2
  shift 2
  ncselect compare --curves "$curves" --dataset "$dataset" --epochs 5,10 --pools "$pools" \
    --workers 2 --format json "$@" > "$folder/lemur-$dataset-$name.json"
}
mkdir -p "$folder"
for dataset in cifar-10 mnist celeba-gender; do
  score "$dataset" no-history "${plain[@]/#/--method=}" --method combined --method lc
  for origin in other-datasets same-dataset; do
    score "$dataset" "$origin" "${plain[@]/#/--method=}" "${learning[@]/#/--method=}" \
      --history "$curves" --history-from "$origin"
  done
done
