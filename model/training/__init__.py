"""Training: one loop, with what it needs a file each.

recipe        what a trained file depends on, as plain data
schedule      the learning rate of each step
losses        what is minimised
write_errors  memories that err while a network is trained
distort       random changes of the training images
feeds         where batches come from: a data set in memory, or ImageNet's files
gradients     how a batch is shared: by threads of one process, or by the processes of torchrun
processes     the processes of torchrun
checkpoint    the file that an interrupted training goes on from
loop          the training itself

`spinflow.model.train` is the command.
"""
