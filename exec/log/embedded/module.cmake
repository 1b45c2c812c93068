millrace_module(exec_log_embedded IN exec/log/embedded USES exec_log_local exec_log exec_data planner_types parser_error
                LINKS fmt::fmt spdlog::spdlog PkgConfig::ROCKSDB PkgConfig::XXHASH)
