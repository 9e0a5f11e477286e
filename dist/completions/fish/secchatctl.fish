SECCHATCTL_COMPLETE=fish secchatctl | source
