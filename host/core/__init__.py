"""What every part of Spinflow stands on: bundles, packing, stream, memories, files, errors."""
