# cmake -D FILES=A,B -D OUTPUT=FILE.h -D NAME=kTable -P embed_files.cmake: a header with name and text of each file.
string(REPLACE "," ";" files "${FILES}")
set(rows "")
foreach(file ${files})
  get_filename_component(name "${file}" NAME_WE)
  file(READ "${file}" text)
  string(APPEND rows "    {\"${name}\", R\"text(${text})text\"},\n")
endforeach()
list(LENGTH files count)
file(WRITE "${OUTPUT}"
  "#pragma once\n\n#include <array>\n#include <string_view>\n#include <utility>\n\nnamespace millrace {\n\n"
  "inline constexpr std::array<std::pair<std::string_view, std::string_view>, ${count}> ${NAME} = {{\n${rows}}};\n\n}\n")
