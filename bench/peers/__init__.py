"""The mail servers that are measured, each in a folder and a process group of its own."""
