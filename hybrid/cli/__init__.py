"""The command ``hybrid``: every command has ``--json``; stdout is data, stderr is everything else."""
