#!/bin/bash
# Verifies a list of images with a Slurm job array; each task takes the part that falls to it.
#   job=$(sbatch --parsable slurm-array.sh /archive/list.txt /archive/reports)
#   sbatch --dependency="afterany:$job" --wrap 'repro-build merge /archive/reports/*.ndjson'
#SBATCH --job-name=repro-build-verify
#SBATCH --array=1-16
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=04:00:00
set -uo pipefail
list=$1 reports=$2

# SLURM_ARRAY_TASK_ID, _MIN and _COUNT say which part. Exit codes 1 and 2 are findings and inputs that are no images: the
# task did its work, and merge refuses the report of one that did not.
srun repro-build verify --shard-from-env --progress plain --format ndjson --from-file "$list" \
    >"$reports/$SLURM_ARRAY_TASK_ID.ndjson"
code=$?
if ((code <= 2)); then exit 0; fi
exit "$code"
