// The rows of commands.cpp, each built in the file of its name.
#pragma once
#include "cli/command.h"

namespace madang {

Command chat_command();
Command run_command();
Command serve_command();
Command inspect_command();
Command tokenize_command();
Command template_command();
Command logits_command();
Command perplexity_command();
Command quantize_command();
Command imatrix_command();
Command convert_command();
Command verify_command();
Command upscale_command();
Command merge_command();
Command bench_command();
Command cpu_command();
Command pull_command();
Command list_command();
Command rm_command();
Command completion_command();
Command help_command();
Command version_command();
Command words_command();  ///< completion.cpp: what completion scripts call

}  // namespace madang
