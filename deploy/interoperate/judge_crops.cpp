// The network of a model package in ONNX Runtime's C++: judge_crops NETWORK.onnx CROPS.bin SIDE
// CROPS.bin holds uint8 RGB, crop after crop. Prints the probability of ALL of each, before temperature, a line each.
// For Research Use Only. Not for use in diagnostic procedures.
#include <onnxruntime_cxx_api.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

int main(int count_of_words, char** words) {
    if (count_of_words != 4) {
        std::fprintf(stderr, "judge_crops NETWORK.onnx CROPS.bin SIDE\n");
        return 2;
    }
    try {
        // ONNX Runtime's own builds send telemetry unless ORT_DISABLE_TELEMETRY=1 is set before the process begins.
        Ort::Env env;
        Ort::Session session(env, words[1], Ort::SessionOptions{});

        std::ifstream file(words[2], std::ios::binary);
        std::vector<uint8_t> pixels{std::istreambuf_iterator<char>(file), {}};
        const int64_t side = std::atoll(words[3]);
        const int64_t count = static_cast<int64_t>(pixels.size()) / (3 * side * side);
        const std::array<int64_t, 4> shape{count, side, side, 3};

        auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        auto image = Ort::Value::CreateTensor<uint8_t>(memory, pixels.data(), pixels.size(), shape.data(), shape.size());
        const char* inputs[] = {"image"};
        const char* outputs[] = {"probability"};
        auto answers = session.Run(Ort::RunOptions{nullptr}, inputs, &image, 1, outputs, 1);
        const float* probability = answers[0].GetTensorData<float>();
        for (int64_t cell = 0; cell < count; ++cell) std::printf("%.9g\n", static_cast<double>(probability[cell]));
    } catch (const Ort::Exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
