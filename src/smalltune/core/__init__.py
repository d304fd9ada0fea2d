"""What every room stands on: keys, jobs, the store, plug-ins. Standard library only."""
