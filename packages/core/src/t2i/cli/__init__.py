"""The command line, one file per verb. Modules here import torch only inside a command that draws or trains."""
