#include "cli/commands.h"

namespace millrace::inline cli {

const char* const kVersion = MILLRACE_VERSION;

}  // namespace millrace::inline cli
