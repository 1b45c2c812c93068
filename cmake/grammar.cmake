# Generates the C++ lexer and parser in the build tree. Nothing outside parser/syntax may use this target.
set(generated ${CMAKE_BINARY_DIR}/generated/grammar)
file(GLOB grammar_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/grammar/*.g4)
set(outputs)
foreach(part Lexer Parser)
  list(APPEND outputs ${generated}/Millrace${part}.cpp ${generated}/Millrace${part}.h)
endforeach()
set(antlr ${ANTLR4} -Dlanguage=Cpp -no-visitor -no-listener -package millrace::grammar -Werror -o ${generated})
add_custom_command(
  OUTPUT ${outputs}
  COMMAND ${antlr} MillraceLexer.g4
  COMMAND ${antlr} -lib ${generated} MillraceParser.g4
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/grammar
  DEPENDS ${grammar_files}
  COMMENT "Generating the parser" VERBATIM)
add_custom_target(generated_sources DEPENDS ${outputs})  # what tools that only read sources need
add_library(millrace_grammar STATIC ${outputs})
target_include_directories(millrace_grammar SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/generated ${ANTLR4_INCLUDE})
target_compile_options(millrace_grammar PUBLIC -fno-char8_t PRIVATE -w)
target_link_libraries(millrace_grammar PUBLIC ${ANTLR4_LIBRARY})
