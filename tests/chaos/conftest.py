"""What lies beside the faults for the workers' interpreters is no test module."""

collect_ignore_glob = ["*/sitecustomize.py"]
