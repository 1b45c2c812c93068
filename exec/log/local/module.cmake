millrace_module(exec_log_local IN exec / log /
                local USES exec_log exec_data planner_types parser_error LINKS fmt::fmt spdlog::spdlog)
    list(APPEND LOGS exec_log_local)
