# The house, bottom to top. Code depends one way only: cli -> server -> exec -> planner -> parser.

millrace_module(parser_error IN parser/error LINKS fmt::fmt)
millrace_module(parser_ast IN parser/ast USES parser_error LINKS fmt::fmt)
include(grammar)
millrace_module(parser_syntax IN parser/syntax USES parser_ast parser_error LINKS millrace_grammar fmt::fmt)

millrace_module(planner_types IN planner/types USES parser_ast parser_error LINKS fmt::fmt)
millrace_module(planner_settings IN planner/settings USES parser_error LINKS fmt::fmt)
millrace_module(planner_catalog IN planner/catalog USES planner_types parser_error LINKS fmt::fmt)
millrace_module(planner_logical IN planner/logical USES planner_types planner_catalog parser_ast parser_error LINKS fmt::fmt Boost::json)
millrace_module(planner_bind IN planner/bind USES planner_logical planner_settings planner_catalog planner_types parser_syntax parser_ast parser_error LINKS fmt::fmt)
millrace_module(planner_rules IN planner/rules USES planner_logical planner_catalog planner_types parser_error LINKS fmt::fmt)
millrace_module(planner_query IN planner/query USES planner_bind planner_settings planner_physical planner_rules planner_logical planner_catalog planner_types parser_error LINKS fmt::fmt)
millrace_module(planner_physical SEPARATE IN planner/physical USES planner_logical planner_catalog planner_types parser_error LINKS fmt::fmt Boost::json)

millrace_module(exec_data IN exec/data USES planner_types parser_error LINKS fmt::fmt)
millrace_module(exec_expr IN exec/expr USES exec_data planner_logical planner_catalog planner_types parser_error LINKS fmt::fmt)
millrace_module(exec_schemas SEPARATE IN exec/schemas USES exec_data planner_catalog planner_types parser_error
                LINKS fmt::fmt Boost::json PkgConfig::PROTOBUF)
millrace_module(exec_schemas_http SEPARATE IN exec/schemas/http USES exec_schemas exec_data planner_types parser_error
                LINKS fmt::fmt Boost::json Boost::url OpenSSL::SSL Threads::Threads)
millrace_module(exec_formats IN exec/formats
                ALONE avro_default.cpp avro_reader.cpp avro_text.cpp avro_writer.cpp protobuf_reader.cpp protobuf_text.cpp protobuf_writer.cpp schema_decoder.cpp schema_encoder.cpp
                USES exec_schemas exec_data planner_logical planner_catalog planner_types parser_error
                LINKS fmt::fmt simdjson::simdjson)
millrace_module(exec_functions IN exec/functions ALONE aggregates_offset.cpp canonical_value.cpp count_distinct.cpp date_arithmetic.cpp distinct_sketch.cpp java_time_format.cpp java_time_parse.cpp java_time_pattern.cpp
                java_time_resolve.cpp java_zone.cpp json.cpp json_path.cpp lambda.cpp regex.cpp zone_rules.cpp USES exec_formats exec_expr exec_data planner_logical planner_catalog planner_types parser_error
                LINKS fmt::fmt PkgConfig::ICU PkgConfig::XXHASH OpenSSL::Crypto Boost::url)
millrace_module(exec_log IN exec/log USES exec_data planner_types parser_error LINKS fmt::fmt spdlog::spdlog)
file(GLOB logs CONFIGURE_DEPENDS LIST_DIRECTORIES true RELATIVE ${CMAKE_SOURCE_DIR}/exec/log ${CMAKE_SOURCE_DIR}/exec/log/*)
foreach(log ${logs})  # each folder is a log; one that needs more than the interface says so in its module.cmake
  if(EXISTS ${CMAKE_SOURCE_DIR}/exec/log/${log}/module.cmake)
    include(${CMAKE_SOURCE_DIR}/exec/log/${log}/module.cmake)
  elseif(IS_DIRECTORY ${CMAKE_SOURCE_DIR}/exec/log/${log})
    millrace_module(exec_log_${log} IN exec/log/${log} USES exec_log exec_data planner_types parser_error LINKS fmt::fmt spdlog::spdlog)
  else()
    continue()
  endif()
  list(APPEND LOGS exec_log_${log})
endforeach()
millrace_module(exec_state IN exec/state USES exec_data exec_log planner_types parser_error LINKS fmt::fmt spdlog::spdlog PkgConfig::ROCKSDB PkgConfig::XXHASH)
millrace_module(exec_operators IN exec/operators USES exec_state exec_formats exec_schemas exec_functions exec_expr exec_data exec_log planner_physical planner_logical planner_catalog
                planner_types parser_error LINKS fmt::fmt spdlog::spdlog)
millrace_module(exec_runtime IN exec/runtime USES exec_operators exec_state exec_formats exec_schemas exec_functions exec_expr exec_data exec_log_local exec_log planner_physical planner_logical
                planner_catalog planner_types parser_error LINKS fmt::fmt spdlog::spdlog)

set(EXEC exec_runtime exec_operators ${LOGS} exec_log exec_formats exec_schemas_http exec_schemas exec_functions exec_expr exec_data exec_state)
set(PLANNER planner_query planner_physical planner_rules planner_bind planner_logical planner_catalog planner_settings planner_types)
set(PARSER parser_syntax parser_ast parser_error)
millrace_module(server_config IN server/config USES planner_settings parser_error LINKS fmt::fmt)
millrace_module(server_queries IN server/queries USES server_config ${EXEC} ${PLANNER} ${PARSER} LINKS fmt::fmt spdlog::spdlog Boost::json)
millrace_module(server_statements IN server/statements USES server_queries server_config ${EXEC} ${PLANNER} ${PARSER} LINKS fmt::fmt spdlog::spdlog Boost::json)
millrace_module(server_session IN server/session USES server_statements server_queries server_config ${EXEC} ${PLANNER} ${PARSER} LINKS fmt::fmt spdlog::spdlog Boost::json)
millrace_module(server_http IN server/http USES server_session server_statements server_queries server_config ${EXEC} ${PLANNER} ${PARSER}
                LINKS fmt::fmt spdlog::spdlog Boost::json Boost::url OpenSSL::SSL PkgConfig::NGHTTP2 ZLIB::ZLIB Threads::Threads)
if(CMAKE_CXX_FLAGS_DEBUG MATCHES "fsanitize=thread")
  foreach(module server_http exec_schemas_http)
    target_compile_options(${module} PRIVATE -Wno-tsan)  # Asio has fences, which the sanitizer does not know
  endforeach()
endif()

# Records of tests as JSON texts: `millrace test`, the conformance runner, SQL data files.
millrace_module(cli_testing IN cli/testing ALONE avro_wire.cpp proto_wire.cpp USES exec_log exec_formats exec_schemas exec_data planner_catalog planner_types parser_error LINKS fmt::fmt)
millrace_module(cli IN cli ALONE bench_growth.cpp USES cli_testing server_http server_session server_statements server_queries server_config ${EXEC} ${PLANNER} ${PARSER}
                LINKS fmt::fmt spdlog::spdlog Boost::json Boost::url PkgConfig::EDIT Threads::Threads)
set_source_files_properties(cli/version.cpp PROPERTIES COMPILE_DEFINITIONS MILLRACE_VERSION="${PROJECT_VERSION}")

# The description of the API travels inside the program.
set(openapi ${CMAKE_SOURCE_DIR}/server/http/openapi.json)
set(openapi_header ${CMAKE_BINARY_DIR}/generated/server/http/openapi_file.h)
add_custom_command(OUTPUT ${openapi_header}
  COMMAND ${CMAKE_COMMAND} -D FILES=${openapi} -D OUTPUT=${openapi_header} -D NAME=kOpenApiFiles -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
  DEPENDS ${openapi} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake VERBATIM)
add_custom_target(openapi_header DEPENDS ${openapi_header})
add_dependencies(generated_sources openapi_header)
target_sources(server_http PRIVATE ${openapi_header})
target_include_directories(server_http PRIVATE ${CMAKE_BINARY_DIR}/generated)

# So do the Nexmark queries.
file(GLOB nexmark CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/nexmark/*.sql)
string(REPLACE ";" "," nexmark_list "${nexmark}")
set(nexmark_header ${CMAKE_BINARY_DIR}/generated/cli/nexmark_files.h)
add_custom_command(OUTPUT ${nexmark_header}
  COMMAND ${CMAKE_COMMAND} -D FILES=${nexmark_list} -D OUTPUT=${nexmark_header} -D NAME=kNexmarkFiles -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
  DEPENDS ${nexmark} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake VERBATIM)
add_custom_target(nexmark_header DEPENDS ${nexmark_header})
add_dependencies(generated_sources nexmark_header)
target_sources(cli PRIVATE ${nexmark_header})
target_include_directories(cli PRIVATE ${CMAKE_BINARY_DIR}/generated)
