"""Units of the accelerator in C++ for Vitis HLS, with their C simulation: `spinflow hls-kernel`.

The kernels are templates, one header each in this folder. `top/` makes a block of each, with its
interfaces, and `bench/` the program that C simulation runs. A block's parameters come from
`parameters.h`, which is written for each run (`catalogue`). `vectors` makes random cases with what
must come of them, `csim` compiles a bench with g++ and runs it, `vitis` hands the same files to
Vitis HLS.
"""
