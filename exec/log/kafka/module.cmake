millrace_module(exec_log_kafka IN exec/log/kafka ALONE reader.cpp USES exec_log exec_data planner_types parser_error LINKS fmt::fmt spdlog::spdlog PkgConfig::RDKAFKA)
