#!/usr/bin/env bash
# A newcomer's path, from `git clone` to a prediction on an image, each command with its seconds.
# Usage: bash results/newcomer.sh REPOSITORY FOLDER; FOLDER is empty, NCSELECT_DATA is a folder with
# the data and weights.
set -euo pipefail
repository=$1 folder=$2
flowers=$NCSELECT_DATA/flowers/flowers128.tar

step() {
  local started=$SECONDS
  echo "\$ $*"
  "$@"
  echo "# $((SECONDS - started)) s"
}

cd "$folder"
step git clone --quiet "$repository" ncselect
cd ncselect
step make demo
source .venv/bin/activate
step ncselect rank --models "$NCSELECT_DATA/mobilenets.toml" --dataset "$flowers" --image-size 64 \
  --budget 5m --yes
step ncselect report --out report.html
step ncselect finetune --epochs 10 --out flowers.keras --yes
daisy=$(tar --list --file "$flowers" | grep --max-count 1 'daisy/.*jpg$' || true)
step tar --extract --file "$flowers" "$daisy"
step python -c "
import keras, ncselect, numpy as np
image = np.uint8(keras.utils.img_to_array(keras.utils.load_img('$daisy', target_size=(64, 64))))
probabilities = keras.models.load_model('flowers.keras').predict(image[None], verbose=0)[0]
print('$daisy', dict(zip(ncselect.class_names('flowers.keras'), probabilities.round(3).tolist())))
"
