# Do signatures of a network's graphs tell its final accuracy? Usage: bash results/graphs.sh STORES OUT
# STORES holds the sweeps, made where they are missing (about 9 hours of one core); NCSELECT_DATA
# is a folder with the data. OUT gets a folder per question: evaluation.json, figures.
set -e
stores=$1
out=$2
fashion="--dataset $NCSELECT_DATA/fashion-mnist --image-size 32"
cifar="--dataset $NCSELECT_DATA/cifar10/cifar10_12k.npz --train-size 2000 --validation-size 1000 --test-size 2000 --epochs 30"
sweep() { ncselect graph sweep --workers 1 --threads 1 --yes --format json "$@" > /dev/null; }
evaluate() { ncselect graph evaluate "$@" --classifier svm,mlp,svm-log,mlp-log --format csv; }
some() { evaluate "$@" --epochs 1,3,5,10; }

sweep --models LeNet5 $fashion --train-size 10000 --validation-size 2000 --test-size 2000 \
  --sample 104 --graphs rolled+unrolled --store $stores/lenet
sweep --models AlexNetSmall --width 0.5 $fashion --train-size 2000 --validation-size 1000 \
  --test-size 2000 --epochs 30 --sample 60 --store $stores/fashion-alexnet
for width in 0.5 1; do
  sweep --models LeNet5 --width $width $cifar --sample 60 --graphs rolled+unrolled \
    --store $stores/cifar-sweeps
done
for model in ResNet32 ResNet44; do
  sweep --models $model --width 0.25 $cifar --epochs 15 --sample 30 --store $stores/cifar-sweeps
done

# High is above half of all images on Fashion-MNIST, above a fifth on CIFAR-10.
mkdir -p $out
evaluate $stores/lenet --kind rolled,unrolled --threshold 0.5 --out $out/lenet > $out/lenet.csv
some $stores/lenet --kind rolled,unrolled --threshold 0.5 --since-start \
  --out $out/lenet-since-start > $out/lenet-since-start.csv
some $stores/fashion-alexnet --threshold 0.5 --out $out/alexnet > $out/alexnet.csv
some $stores/lenet --threshold 0.5 --judge-on $stores/fashion-alexnet --out $out/architecture \
  > $out/architecture.csv
some $stores/cifar-sweeps --where candidate.source=LeNet5 --where candidate.arguments.width=0.5 \
  --kind rolled,unrolled --threshold 0.2 --judge-on $stores/cifar-sweeps --out $out/width > $out/width.csv
some $stores/cifar-sweeps --where candidate.source=ResNet32 --threshold 0.2 \
  --judge-on $stores/cifar-sweeps --out $out/depth > $out/depth.csv
