#!/usr/bin/env bash
# Sparse evolutionary training and lottery tickets, beside their controls. Usage: bash
# results/sparse.sh STORES OUT; STORES holds the runs, made where they are missing (about 5 hours of
# one core); NCSELECT_DATA is a folder with the data. Writes OUT/sparse-*.json.
set -euo pipefail
stores=$1 out=$2
one="--workers 1 --threads 1 --yes --format json"
many="--train-size 10000 --validation-size 2000 --test-size 10000 $one"
few="--train-size 2000 --validation-size 1000 --test-size 10000 $one"
cifar="--dataset $NCSELECT_DATA/cifar10/cifar10_12k.npz --train-size 4000 --validation-size 1000 --test-size 2000 $one"

for name in mnist fashion-mnist; do
  data="--dataset $NCSELECT_DATA/$name"
  ncselect sparse train --models MLP1000 $data $many --epochs 30 --repeats 3 \
    --store "$stores/sparse" > "$out/sparse-$name.json"
  ncselect sparse prune --models MLP300 $data $many --rounds 40 --round-epochs 5 --floor 0.5 \
    --criterion magnitude,random --repeats 3 --store "$stores/tickets" > "$out/sparse-tickets-$name.json"
done
ncselect sparse train --models MLP4000 $cifar --epochs 10 --repeats 3 \
  --store "$stores/sparse" > "$out/sparse-cifar10.json"
ncselect sparse train --models MLP1000 --dataset $NCSELECT_DATA/mnist $few --rule fixed,set \
  --epochs 300 --store "$stores/sparse-long" > "$out/sparse-long.json"
python -m bench.sparse_courses "$stores/sparse" "$stores/sparse-long" "$stores/tickets" \
  > "$out/sparse-courses.json"
python -m bench.boltzmann $NCSELECT_DATA/mnist --epochs 100 > "$out/sparse-boltzmann.json"
