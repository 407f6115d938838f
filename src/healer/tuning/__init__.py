"""Fine-tuning MedGemma's language model with LoRA, on tiles split by case."""

import logging

# It warns at import of kernels that only 4-bit inference on a CPU would use.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
