# not read, only its name is
